"""Other ways to make texts searchable, run on the same work as Toulmin: `python -m evals.peers`.

Nothing imports this package, and none of the peers is a dependency: each is installed into an environment of
its own (`install`), runs in a process of its own (`drivers`), and is measured in turn with the others
(`runner`); `page` writes `evals/PEERS.md`.
"""
