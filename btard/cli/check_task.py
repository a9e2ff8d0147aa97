"""`btard check-task`: is a task's gradient the same for everybody who computes it?"""

from __future__ import annotations

from typing import Annotated

import typer

from btard.cli import options


def check_task(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task, or module:attribute.")],
    option: options.Option = None,
    steps: options.Steps = None,
    device: options.Device = "cpu",
    epsilon: options.Epsilon = None,
    json: options.Json = False,
) -> None:
    """Compute a task's gradient in all ways that must not matter, and name what would trouble a swarm.

    Example: btard check-task my_module:my_task --device cuda
    """
    from dataclasses import asdict
    from json import dumps

    from btard.training.check import check_task as check
    from btard.training.task_options import read_options

    report = check(task, read_options(option or ()), steps=steps, device=device, epsilon=epsilon)
    if json:
        typer.echo(dumps({"holds": not report.faults, **asdict(report)}))
    else:
        for what, difference in report.measured.items():
            typer.echo(f"{what}: {difference:.1e} of a gradient's norm")
        for note in report.notes:
            typer.echo(f"note: {note}")
    for fault in report.faults:
        typer.echo(f"btard: {fault}", err=True)
    if report.faults:
        raise typer.Exit(3)
    if not json:
        typer.echo(f"{task} is fit for a swarm")
