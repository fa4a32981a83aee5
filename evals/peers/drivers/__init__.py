"""What is run by each peer's own Python: `serve` and a driver, which imports only that peer.

A driver is a file with a class `Store`, whose methods `serve` says. It sets its peer up as its own
documentation does, with our weights where it takes a folder of them, and tunes nothing.
"""
