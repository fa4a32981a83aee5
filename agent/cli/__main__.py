"""`python -m agent.cli`: the command without its entry point."""

from agent.cli import main

main()
