"""Hostile bytes: what a stranger may give to each decoder, and what a member may do to a peer.

`python -m tests.fuzz` runs the targets, `make fuzz` all of them for long, the tests a small batch of each.
"""
