"""`btard arena`: rules, attacks and estimators against each other, in one table."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from btard.cli import options


def arena(
    spec: Annotated[
        str,
        typer.Argument(metavar="SPEC.toml", help="A file, or one of btard's own: smoke, ctma, draco, btard."),
    ],
    only: Annotated[
        list[str] | None,
        options.run("FIELD=VALUE", "Run and show these cells alone, e.g. rule=median; repeatable."),
    ] = None,
    jobs: Annotated[
        int | None, options.run("N", "Processes, one thread each; by default one a core.", min=1)
    ] = None,
    device: Annotated[str, options.run("cpu|cuda", "The device that trains.")] = "cpu",
    out: Annotated[
        Path | None, options.output("DIR", "Results and report; by default runs/arena/SPEC.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Train every cell of a grid that is not finished yet, and write tables and figures that compare them.

    Example: btard arena smoke.toml --only rule=median
    """
    from btard.arena.show import run_arena

    folder = out or Path("runs") / "arena" / Path(spec).stem
    with redirect_stdout(sys.stderr) if json else nullcontext():
        good = run_arena(spec, folder, jobs, device, tuple(only or ()))
    if json:
        typer.echo(dumps({"finished": good, "out": str(folder)}))
    if not good:
        raise typer.Exit(3)
