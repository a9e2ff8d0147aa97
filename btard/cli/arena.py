"""`btard arena`: rules, attacks and estimators against each other, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def arena(
    spec: Annotated[
        str,
        typer.Argument(metavar="SPEC.toml", help="A file, or one of btard's own: smoke, ctma, draco, btard."),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where results and report go; runs/arena/SPEC.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes, one thread each; as many as there are cores.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="cpu|cuda", help="What trains.")] = "cpu",
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE", help="Run and show these cells alone, e.g. rule=median; repeatable."
        ),
    ] = None,
) -> None:
    """Train every cell of a grid that is not finished yet, and write tables and figures that compare them."""
    from btard.arena.show import run_arena

    if not run_arena(spec, out, jobs, device, tuple(only or ())):
        raise typer.Exit(1)
