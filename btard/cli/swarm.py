"""`btard swarm`: a whole swarm on this machine, attackers included."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def swarm(
    peers: Annotated[int, typer.Option(min=2, help="How many peers.")] = 8,
    byzantine: Annotated[
        str, typer.Option(metavar="KIND[*K],...", help="Which of them misbehave, e.g. sign_flip*2,ipm.")
    ] = "",
    task: Annotated[str, typer.Option(help="What to train.")] = "digits",
    steps: Annotated[
        int | None, typer.Option(min=1, help="How many steps; enough to catch every attacker.")
    ] = None,
    validators: Annotated[
        int | None, typer.Option(min=0, help="Peers examined in each step; a quarter of them.")
    ] = None,
    tau: Annotated[float | None, typer.Option(help="Clipping radius; as the task suggests.")] = None,
    clip: Annotated[
        float | None, typer.Option(help="Clip each gradient to this norm first (BTARD-Clipped-SGD).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Keys, model and batches follow from it.")] = 0,
    attack_start: Annotated[
        int, typer.Option(min=0, metavar="STEP", help="The step from which on attackers attack.")
    ] = 0,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="All in one process, in virtual time, without a network.")
    ] = False,
    require_bans: Annotated[
        bool, typer.Option("--require-bans", help="Fail where an attacker still holds its seat at the end.")
    ] = False,
    name: Annotated[str, typer.Option(help="The run's name: it's kept in runs/NAME.")] = "swarm",
    run_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the run here instead.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events in JSON lines.")] = False,
) -> None:
    """Start a bootstrap and peers on this machine, train to the end, and say who was banned and why."""
    from btard.console.local_swarm import run_swarm
    from btard.run.plan import plan_run
    from btard.swarm.spec import SwarmSpec, parse_byzantine

    kinds = parse_byzantine(byzantine)
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
        run_dir or Path("runs") / name,
        in_process=in_process,
        require_bans=require_bans,
        json=json,
        replace=overwrite,
    )
    raise typer.Exit(0 if good else 1)
