"""Evaluation suites, run as `python -m evals SUITE`. Nothing imports this package."""
