"""`btard simulate`: a swarm under faults in virtual time, one seed or many."""

from __future__ import annotations

from typing import Annotated

import typer


def simulate(
    seed: Annotated[
        int | None, typer.Option(min=0, help="Run this seed alone; with --seeds, begin with it.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to run, over all cores.")] = 1,
    peers: Annotated[int | None, typer.Option(min=4, max=64, help="Drawn from 4 to 16 unless given.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Drawn from 3 to 5 unless given.")] = None,
    byzantine: Annotated[
        str | None, typer.Option(metavar="KIND*K,...", help="These adversaries instead of drawn ones.")
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print every event of the seed.")] = False,
) -> None:
    """Simulate swarms with faults and cheats; every failure prints the one command that replays it."""
    from btard.adversary import parse_adversaries
    from btard.simulation.report import show_seed, show_seeds
    from btard.simulation.runner import Wish

    kinds = None if byzantine is None else tuple(term.text for term in parse_adversaries(byzantine))
    wish = Wish(peers, steps, kinds)
    held = show_seed(seed or 0, wish, trace) if seeds == 1 else show_seeds(seed or 0, seeds, wish)
    if not held:
        raise typer.Exit(1)
