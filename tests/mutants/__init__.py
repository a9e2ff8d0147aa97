"""Planted bugs, each of which a test must find: `make mutants`, or `python -m tests.mutants NAME`."""
