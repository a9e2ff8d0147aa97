"""`btard peer`: join a swarm by its bootstrap's address and train with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli import options

STATUS = {"finished": 0, "halted": 1, "seat_lost": 4}


def _take_profile(context: typer.Context, profile: str | None) -> None:
    if profile is not None:
        from btard.node.profile import load_profile

        context.default_map = load_profile(profile)


def peer(
    join: Annotated[str, options.network("ADDRESS", "The line to join by, as the bootstrap printed it.")],
    invite: Annotated[
        str | None, options.network("TOKEN", "Your invitation, if the run takes invited peers only.")
    ] = None,
    config: options.Config = None,
    profile: Annotated[
        str | None,
        options.run(
            "NAME|PATH",
            "Options in a file, or a profile of peers/; those given here win.",
            is_eager=True,
            callback=_take_profile,
        ),
    ] = None,
    task: options.Trusted = None,
    byzantine: Annotated[
        str, options.run("KIND", 'Misbehave, to try a run\'s defences: "alie(z=1.5)".')
    ] = "",
    device: options.Device = "cpu",
    host: options.Host = "0.0.0.0",
    port: options.Port = 0,
    announce: options.Announce = None,
    wait: Annotated[
        float, options.network("SECONDS", "How long to wait for the bootstrap, and for the start.")
    ] = 600.0,
    out: Annotated[Path, options.output("DIR", "The directory of model, ledger, metrics.")] = Path(
        "runs/peer"
    ),
    key: Annotated[
        Path | None, options.output("PATH", "The key file: made if missing; by default DIR.key beside DIR.")
    ] = None,
    overwrite: options.Overwrite = False,
    resume: Annotated[
        bool, options.output(None, "Go on with the run in --out, after this peer was killed.", "--resume")
    ] = False,
    evaluate_every: Annotated[
        int, options.output("STEPS", "Evaluate the model so often; 0: never.", min=0)
    ] = 5,
    checkpoint_every: options.CheckpointEvery = 10,
    keep_checkpoints: options.KeepCheckpoints = 20,
    track: options.Track = None,
    json: options.Json = False,
    no_out: Annotated[bool, typer.Option("--no-out", hidden=True, help="Keep nothing.")] = False,
    colluders: Annotated[str, typer.Option(hidden=True, help="Keys that collude with this one.")] = "",
    phases: Annotated[
        bool, typer.Option("--phases", hidden=True, help="With --json: print each second's phase.")
    ] = False,
    tied: options.Tied = False,
) -> None:
    """Join a swarm by its bootstrap's address and train with it.

    Example: btard peer --join 192.0.2.2:31337/5e1f... --out runs/mine
    """
    from btard.adversary import parse_adversary
    from btard.console.event_console import EventConsole
    from btard.node import PeerOptions, run_peer
    from btard.node.options import read_addresses, read_keys
    from btard.node.running import run
    from btard.run.config import RunPlan
    from btard.tracking import Tracking, make_trackers
    from btard.training import trust

    if task is not None:
        trust(task)
    peer_options = PeerOptions(
        join=join,
        invite=invite,
        key=key or out.absolute().with_name(f"{out.absolute().name}.key"),
        out=None if no_out else out,
        replace=overwrite,
        resume=resume,
        host=host,
        port=port,
        announce=read_addresses(announce),
        expected=None if config is None else RunPlan.load(config),
        adversary=parse_adversary(byzantine) if byzantine else None,
        colluders=read_keys(colluders),
        evaluate_every=evaluate_every,
        checkpoint_every=checkpoint_every,
        keep_checkpoints=keep_checkpoints,
        device=device,
        wait_s=wait,
    )
    trackers = make_trackers(track or [], out)
    with EventConsole(json=json, phases=phases) as console, Tracking(console, trackers) as emit:
        ended = run(run_peer(peer_options, emit=emit), tied=tied)
    raise typer.Exit(STATUS[ended.outcome])
