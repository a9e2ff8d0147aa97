"""`btard simulate`: a swarm under faults in virtual time, one seed or many."""

from __future__ import annotations

from typing import Annotated

import typer

from btard.cli import options


def simulate(
    seed: Annotated[
        int | None, options.run("N", "Run this seed alone; with --seeds, begin with it.", min=0)
    ] = None,
    seeds: Annotated[int, options.run("N", "How many seeds to run, over all cores.", min=1)] = 1,
    peers: Annotated[int | None, options.run("N", "By default drawn from 4 to 16.", min=4, max=64)] = None,
    steps: Annotated[int | None, options.run("N", "By default drawn from 3 to 5.", min=1)] = None,
    byzantine: Annotated[
        str | None, options.run("KIND[*K],...", "These adversaries instead of drawn ones.")
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print every event of the seed.")] = False,
    json: options.Json = False,
) -> None:
    """Simulate swarms with faults and cheats; every failure prints the one command that replays it.

    Example: btard simulate --seeds 20 --byzantine "ipm*2"
    """
    from btard.adversary import parse_adversaries
    from btard.simulation.report import seeds_json, show_seed, show_seeds
    from btard.simulation.runner import Overrides

    kinds = None if byzantine is None else tuple(term.text for term in parse_adversaries(byzantine))
    overrides = Overrides(peers, steps, kinds)
    first = seed or 0
    if json:
        line, held = seeds_json(first, seeds, overrides)
        typer.echo(line)
    else:
        held = show_seed(first, overrides, trace) if seeds == 1 else show_seeds(first, seeds, overrides)
    if not held:
        raise typer.Exit(3)
