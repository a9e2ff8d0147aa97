"""`btard peer`: join a swarm by its bootstrap's address and train with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli.options import (
    NETWORK,
    OUTPUT,
    RUN,
    Announce,
    Config,
    Device,
    Host,
    Json,
    Overwrite,
    Port,
    Tied,
)

STATUS = {"finished": 0, "halted": 1, "seat_lost": 4}


def _take_profile(context: typer.Context, profile: str | None) -> str | None:
    if profile is not None:
        from btard.node.profile import load_profile

        context.default_map = load_profile(profile)
    return profile


def peer(
    join: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="The bootstrap's address, as it printed it.", rich_help_panel=NETWORK
        ),
    ],
    config: Config = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Options in a file, or a profile of peers/; those given here win.",
            rich_help_panel=RUN,
            is_eager=True,
            callback=_take_profile,
        ),
    ] = None,
    byzantine: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help='Misbehave, to try the defences of a run: "alie(z=1.5)".',
            rich_help_panel=RUN,
        ),
    ] = "",
    device: Device = "cpu",
    host: Host = "0.0.0.0",
    port: Port = 0,
    announce: Announce = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How long to wait for the bootstrap, and for the run to begin.",
            rich_help_panel=NETWORK,
        ),
    ] = 600.0,
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The directory of model, ledger, metrics.", rich_help_panel=OUTPUT),
    ] = Path("runs/peer"),
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="The key file: made if missing; by default DIR.key, beside the directory.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    overwrite: Overwrite = False,
    evaluate_every: Annotated[
        int,
        typer.Option(
            min=0, metavar="STEPS", help="Evaluate the model so often; 0: never.", rich_help_panel=OUTPUT
        ),
    ] = 5,
    json: Json = False,
    no_out: Annotated[bool, typer.Option("--no-out", hidden=True, help="Keep nothing.")] = False,
    colluders: Annotated[str, typer.Option(hidden=True, help="Keys that collude with this one.")] = "",
    tied: Tied = False,
) -> None:
    """Join a swarm by its bootstrap's address and train with it.

    Example: btard peer --join /ip4/192.0.2.2/tcp/31337/p2p/12D3KooW... --out runs/mine
    """
    from btard.adversary import parse_adversary
    from btard.console.event_console import EventConsole
    from btard.node import PeerOptions, run_peer
    from btard.node.options import read_addresses, read_keys
    from btard.node.running import run
    from btard.run.config import RunConfig

    options = PeerOptions(
        join=join,
        key=key or out.absolute().with_name(f"{out.absolute().name}.key"),
        out=None if no_out else out,
        replace=overwrite,
        host=host,
        port=port,
        announce=read_addresses(announce),
        expected=None if config is None else RunConfig.load(config),
        adversary=parse_adversary(byzantine) if byzantine else None,
        colluders=read_keys(colluders),
        evaluate_every=evaluate_every,
        device=device,
        wait_s=wait,
    )
    with EventConsole(json=json) as console:
        ended = run(run_peer(options, emit=console), tied=tied)
    raise typer.Exit(STATUS[ended.outcome])
