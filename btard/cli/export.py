"""`btard export`: the model of a run, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli import options


def export(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The directory of the run.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; must not exist.")],
    verify: Annotated[
        int, typer.Option(metavar="K", min=0, help="Compute K gradients of the run again, too.")
    ] = 0,
    task: options.Trusted = None,
    json: options.Json = False,
) -> None:
    """Verify a run's ledger, and write the newest model that it certifies, with a card that says what held.

    Example: btard export runs/demo runs/demo-model --verify 8
    """
    from dataclasses import asdict
    from json import dumps

    from btard.cli.verifying import verified
    from btard.ledger.export import export as write
    from btard.training import trust

    if task is not None:
        trust(task)
    report = verified(lambda progress: write(run_dir, directory, verify, progress), verify, json)
    if json:
        typer.echo(dumps({"directory": str(directory), **asdict(report)}, default=bytes.hex))
    else:
        typer.echo(f"{directory}: the model of {report.steps} steps; all {report.records} records hold")
