"""`btard measure-tolerance`: how far this machine's gradients lie from another's, and which profile fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btard.cli import options

if TYPE_CHECKING:
    from btard.lab.recording import Recording


def measure_tolerance(
    task: options.Task = "digits",
    option: options.Option = None,
    steps: Annotated[
        int, options.run("S", "Measure after so many steps, too; with --against, as there.", min=0)
    ] = 20,
    gradients: Annotated[
        int, options.run("N", "Gradients at each model; with --against, as there.", min=1, max=1000)
    ] = 24,
    against: Annotated[
        Path | None, options.run("FILE", "What another machine wrote: compare with it.")
    ] = None,
    device: options.Device = "cpu",
    out: Annotated[
        Path | None,
        options.output("FILE", "Where to write; by default gradients.safetensors without --against."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Compute gradients of public seeds, write them down, and compare them with those of another machine.

    Example: btard measure-tolerance --task digits --against gradients.safetensors
    """
    from json import dumps

    from rich.console import Console
    from rich.progress import Progress

    from btard.lab.recording import record
    from btard.lab.recording_file import load_recording, save_recording
    from btard.training import check_device, load_recipe
    from btard.training.task_options import read_options

    theirs = None if against is None else load_recording(against)
    recipe = load_recipe(task, options=read_options(option or ()))
    terminal = Console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        row = bar.add_task("gradients", total=None)
        mine = record(
            recipe,
            gradients,
            steps,
            check_device(device),
            theirs,
            lambda done, of: bar.update(row, completed=done, total=of),
        )
    path = out or (Path("gradients.safetensors") if theirs is None else None)
    if path is not None:
        save_recording(mine, path)
    if json:
        typer.echo(dumps(_summary(mine, theirs, path)))
    else:
        _show(task, mine, theirs, path)


def _summary(mine: Recording, theirs: Recording | None, path: Path | None) -> dict[str, object]:
    from btard.lab.recording import differences
    from btard.training.tolerances import fitting

    summary: dict[str, object] = {"machine": dict(mine.machine), "file": None if path is None else str(path)}
    if theirs is not None:
        found = differences(mine, theirs)
        profile = fitting(max(each[-1] for each in found.values()))
        fits = None if profile is None else profile.name
        summary |= {"other": dict(theirs.machine), "differences": found, "profile": fits}
    return summary


def _show(task: str, mine: Recording, theirs: Recording | None, path: Path | None) -> None:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from btard.console.progress import printable
    from btard.lab.recording import differences
    from btard.training.tolerances import MARGIN, TOLERANCES, fitting

    console = Console(soft_wrap=True, highlight=False)
    console.print("this machine: " + ", ".join(f"{name} {value}" for name, value in mine.machine.items()))
    if path is not None:
        console.print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    if theirs is None:
        console.print(f"On another machine: btard measure-tolerance --task {task} --against {path}")
        return
    other = ", ".join(f"{printable(name)} {printable(value)}" for name, value in theirs.machine.items())
    console.print(f"the other: {other}")
    found = differences(mine, theirs)
    table = Table("step", "gradients", "|g - g'| / |g|: median", "99 %", "greatest")
    for step, each in found.items():
        cells = (float(np.quantile(each, share)) for share in (0.5, 0.99, 1.0))
        table.add_row(str(step), str(len(each)), *(f"{cell:.1e}" for cell in cells))
    console.print(table)
    greatest = max(each[-1] for each in found.values())
    profile = fitting(greatest)
    if profile is None:
        loosest = list(TOLERANCES.values())[-1]
        console.print(
            f"No profile fits: the loosest, {loosest.name}, takes differences of "
            f"{loosest.epsilon / MARGIN:.1e}. These machines cannot take part in one run of this task."
        )
    else:
        console.print(
            f"profile that fits: {profile.name} (epsilon {profile.epsilon:g}, at least {MARGIN:g} times the "
            f"greatest): {profile.meaning}"
        )
