"""`btard swarm`: a whole swarm on this machine, attackers included."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli import options


def _take_profile(context: typer.Context, profile: Path | None) -> None:
    if profile is not None:
        from btard.swarm.profile import load_swarm_profile

        context.default_map = load_swarm_profile(profile)


def swarm(
    profile: Annotated[
        Path | None,
        options.run(
            "FILE", "Options in a file; those given here win.", is_eager=True, callback=_take_profile
        ),
    ] = None,
    task: options.Task = "digits",
    option: options.Option = None,
    peers: options.Peers = 8,
    byzantine: Annotated[
        str, options.run("KIND[*K],...", 'Peers that misbehave: "alie(z=1.5)*2, ipm".')
    ] = "",
    attack_start: Annotated[int, options.run("STEP", "Attackers attack from this step on.")] = 0,
    steps: Annotated[int | None, options.run("N", "By default enough to catch attackers.")] = None,
    validators: options.Validators = None,
    tau: options.Tau = None,
    epsilon: options.Epsilon = None,
    clip: options.Clip = None,
    seed: options.Seed = 0,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Run in one process, in virtual time, without a network.")
    ] = False,
    require_bans: Annotated[
        bool, typer.Option("--require-bans", help="Fail if an attacker holds its seat at the end.")
    ] = False,
    name: Annotated[str, options.output("NAME", "Short for --out runs/NAME.")] = "swarm",
    out: Annotated[Path | None, options.output("DIR", "The run directory.")] = None,
    overwrite: options.Overwrite = False,
    checkpoint_every: options.CheckpointEvery = 10,
    keep_checkpoints: options.KeepCheckpoints = 20,
    track: options.Track = None,
    json: options.Json = False,
) -> None:
    """Start a bootstrap and peers on this machine, train to the end, and say who was banned and why.

    Example: btard swarm --in-process --byzantine "ipm*2,equivocation" --require-bans
    """
    from btard.adversary import parse_adversaries
    from btard.console.local_swarm import run_swarm
    from btard.run.plan import plan_run
    from btard.swarm.spec import SwarmSpec
    from btard.tracking import make_trackers
    from btard.training.task_options import read_options

    kinds = parse_adversaries(byzantine)
    config = plan_run(
        task,
        options=read_options(option or ()),
        peers=peers,
        byzantine=len(kinds),
        attack_start=attack_start,
        steps=steps,
        validators=validators,
        tau=tau,
        epsilon=epsilon,
        clip=clip,
        seed=seed,
        delta_s=1.0,  # all on one machine
    )
    path = out or Path("runs") / name
    good = run_swarm(
        SwarmSpec(config, kinds, attack_start, checkpoint_every, keep_checkpoints),
        path,
        in_process=in_process,
        require_bans=require_bans,
        replace=overwrite,
        json=json,
        trackers=make_trackers(track or [], path),
    )
    raise typer.Exit(0 if good else 3)
