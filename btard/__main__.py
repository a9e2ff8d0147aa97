"""`python -m btard` is the command `btard`."""

from btard.cli import main

main()
