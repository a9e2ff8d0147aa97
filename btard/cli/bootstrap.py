"""`btard bootstrap`: announce a run, and print the one line that others join by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli.options import (
    OUTPUT,
    Announce,
    Clip,
    Config,
    Host,
    Json,
    Key,
    Peers,
    Port,
    Seed,
    Steps,
    Task,
    Tau,
    Tied,
    Validators,
)


def bootstrap(
    task: Task = "digits",
    peers: Peers = 8,
    steps: Steps = None,
    validators: Validators = None,
    tau: Tau = None,
    clip: Clip = None,
    seed: Seed = 0,
    config: Config = None,
    host: Host = "0.0.0.0",
    port: Port = 0,
    announce: Announce = None,
    key: Key = Path("bootstrap.key"),
    json: Json = False,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Print the run's description and end.", rich_help_panel=OUTPUT),
    ] = False,
    tied: Tied = False,
) -> None:
    """Announce a run, and print the one line that others join by. Runs until interrupted.

    Example: btard bootstrap --peers 4 --port 31337 --announce my.host.name:31337
    """
    from btard.console.event_console import EventConsole
    from btard.node import BootstrapOptions, run_bootstrap
    from btard.node.options import read_addresses
    from btard.node.running import run
    from btard.run.config import RunConfig
    from btard.run.plan import plan_run

    description = (
        RunConfig.load(config)
        if config is not None
        else plan_run(task, peers=peers, steps=steps, validators=validators, tau=tau, clip=clip, seed=seed)
    )
    if print_config:
        typer.echo(description.to_bytes())
        return
    options = BootstrapOptions(description, key, host, port, read_addresses(announce))
    with EventConsole(json=json) as console:
        run(run_bootstrap(options, emit=console), tied=tied)
