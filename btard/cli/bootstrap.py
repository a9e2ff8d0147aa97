"""`btard bootstrap`: announce a run, and print the one line that others join by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli import options


def bootstrap(
    task: options.Task = "digits",
    option: options.Option = None,
    peers: options.Peers = 8,
    steps: options.Steps = None,
    validators: options.Validators = None,
    tau: options.Tau = None,
    epsilon: options.Epsilon = None,
    clip: options.Clip = None,
    seed: options.Seed = 0,
    delta_s: Annotated[
        float,
        options.run("SECONDS", "Longest delay of a small message between honest peers.", min=0.05, max=600),
    ] = 10.0,
    allow: Annotated[
        list[str] | None,
        options.run("KEY,...|FILE", "Only these public keys may take seats; repeatable."),
    ] = None,
    invite_only: Annotated[
        bool, options.run(None, "Only holders of a token of btard invite may take seats.", "--invite-only")
    ] = False,
    per_address: Annotated[
        int | None, options.run("N", "Seats that one address may take; by default 4.", min=1, max=256)
    ] = None,
    config: options.Config = None,
    resume: Annotated[
        Path | None,
        options.run("RUN_DIR", "Go on with the run in a member's directory, as its bootstrap."),
    ] = None,
    host: options.Host = "0.0.0.0",
    port: options.Port = 0,
    announce: options.Announce = None,
    dht_port: Annotated[
        int,
        options.network("N", "The port of the directory's first node; 0: a free one.", min=0, max=65535),
    ] = 0,
    key: options.Key = Path("bootstrap.key"),
    json: options.Json = False,
    print_config: Annotated[
        bool, options.output(None, "Print the run's plan and end.", "--print-config")
    ] = False,
    tied: options.Tied = False,
) -> None:
    """Announce a run, and print the one line that others join by. Runs until interrupted.

    Example: btard bootstrap --peers 4 --port 31337 --announce my.host.name:31337 --allow keys.txt
    """
    from btard.console.event_console import EventConsole
    from btard.node import BootstrapOptions, run_bootstrap
    from btard.node.options import read_addresses, read_admission
    from btard.node.running import run
    from btard.run.config import RunPlan
    from btard.run.plan import plan_run
    from btard.training.task_options import read_options

    def start(plan: RunPlan | None) -> None:
        bootstrap_options = BootstrapOptions(
            plan, key, host, port, read_addresses(announce), dht_port, resume
        )
        with EventConsole(json=json) as console:
            run(run_bootstrap(bootstrap_options, emit=console), tied=tied)

    if resume is not None:
        start(None)
        return
    admission = read_admission(allow, invite_only, per_address, planned=config is not None)
    plan = (
        RunPlan.load(config)
        if config is not None
        else plan_run(
            task,
            options=read_options(option or ()),
            peers=peers,
            steps=steps,
            validators=validators,
            tau=tau,
            epsilon=epsilon,
            clip=clip,
            seed=seed,
            delta_s=delta_s,
            admission=admission,
        )
    )
    if print_config:
        typer.echo(plan.to_bytes())
        return
    start(plan)
