"""`btard new-task`: write the module that a task of one's own begins as."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from btard.cli import options


def new_task(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the module, and of the task.")],
    folder: Annotated[Path, options.output("DIR", "Where to write NAME.py.", "--dir")] = Path(),
    json: options.Json = False,
) -> None:
    """Write NAME.py: a task that trains as it is, to put one's own data and model into.

    Example: btard new-task my_task
    """
    from json import dumps

    from btard.training.skeleton import write_task

    path = write_task(name, folder)
    if json:
        typer.echo(dumps({"path": str(path), "task": f"{name}:{name}"}))
        return
    typer.echo(f"wrote {path}")
    typer.echo(f"In its folder: btard check-task {name}:{name}")
