"""`btard bootstrap`: announce a run, and print the one line that others join by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bootstrap(
    task: Annotated[str, typer.Option(help="What to train.")] = "digits",
    peers: Annotated[int, typer.Option(min=2, help="Seats: training begins when all are taken.")] = 8,
    steps: Annotated[int | None, typer.Option(min=1, help="How many steps; as the task suggests.")] = None,
    validators: Annotated[
        int | None, typer.Option(min=0, help="Peers examined in each step; a quarter of them.")
    ] = None,
    tau: Annotated[float | None, typer.Option(help="Clipping radius; as the task suggests.")] = None,
    clip: Annotated[
        float | None, typer.Option(help="Clip each gradient to this norm first (BTARD-Clipped-SGD).")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of the initial model.")] = 0,
    run_file: Annotated[
        Path | None,
        typer.Option("--config", "--run", metavar="FILE", help="A configuration, in place of these."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the configuration here, for `peer --expect`."),
    ] = None,
    key: Annotated[Path, typer.Option(metavar="PATH", help="The key file: made if missing.")] = Path(
        "bootstrap.key"
    ),
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: a free one.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Say everything in JSON lines.")] = False,
    tied: Annotated[bool, typer.Option("--tied", help="End when standard input ends.")] = False,
) -> None:
    """Announce a run, and print the one line that others join by. Runs until interrupted."""
    from btard.console.event_console import EventConsole
    from btard.node.bootstrap import run_bootstrap
    from btard.node.options import BootstrapOptions
    from btard.node.running import run
    from btard.run.config import RunConfig
    from btard.run.plan import plan_run

    if run_file is not None:
        config = RunConfig.load(run_file)
    else:
        config = plan_run(
            task, peers=peers, steps=steps, validators=validators, tau=tau, clip=clip, seed=seed
        )
    if save is not None:
        config.save(save)
    with EventConsole(json=json) as emit:
        run(run_bootstrap(BootstrapOptions(config, key, host, port), emit=emit), tied=tied)
