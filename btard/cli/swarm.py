"""`btard swarm`: a whole swarm on this machine, attackers included."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli.options import (
    OUTPUT,
    RUN,
    Byzantine,
    Clip,
    Json,
    Overwrite,
    Peers,
    Seed,
    Steps,
    Task,
    Tau,
    Validators,
)


def swarm(
    task: Task = "digits",
    peers: Peers = 8,
    byzantine: Byzantine = "",
    attack_start: Annotated[
        int,
        typer.Option(
            min=0, metavar="STEP", help="The step from which on attackers attack.", rich_help_panel=RUN
        ),
    ] = 0,
    steps: Steps = None,
    validators: Validators = None,
    tau: Tau = None,
    clip: Clip = None,
    seed: Seed = 0,
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process",
            help="Run all in one process, in virtual time, without a network.",
            rich_help_panel=RUN,
        ),
    ] = False,
    require_bans: Annotated[
        bool,
        typer.Option(
            "--require-bans", help="Fail if an attacker holds its seat at the end.", rich_help_panel=RUN
        ),
    ] = False,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Short for --out runs/NAME.", rich_help_panel=OUTPUT)
    ] = "swarm",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run directory.", rich_help_panel=OUTPUT)
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Start a bootstrap and peers on this machine, train to the end, and say who was banned and why.

    Example: btard swarm --in-process --byzantine "ipm*2,equivocation" --require-bans
    """
    from btard.adversary import parse_adversaries
    from btard.console.local_swarm import run_swarm
    from btard.run.plan import plan_run
    from btard.swarm.spec import SwarmSpec

    kinds = parse_adversaries(byzantine)
    config = plan_run(
        task,
        peers=peers,
        byzantine=len(kinds),
        attack_start=attack_start,
        steps=steps,
        validators=validators,
        tau=tau,
        clip=clip,
        seed=seed,
    )
    good = run_swarm(
        SwarmSpec(config, kinds, attack_start),
        out or Path("runs") / name,
        in_process=in_process,
        require_bans=require_bans,
        replace=overwrite,
        json=json,
    )
    raise typer.Exit(0 if good else 3)
