"""`btard measure-norms`: how long honest gradients are, and which tau and Delta_max fit them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from btard.cli import options

if TYPE_CHECKING:
    from btard.lab.norms import Norms


def measure_norms(
    task: options.Task = "digits",
    option: options.Option = None,
    peers: options.Peers = 8,
    steps: options.Steps = None,
    with_tau: Annotated[
        float | None,
        options.run("NORM", "Aggregate by CenteredClip of this tau; by default by the mean."),
    ] = None,
    device: options.Device = "cpu",
    json: options.Json = False,
) -> None:
    """Train honestly in this process, measure |g_i - v|, and suggest tau and Delta_max for the task's recipe.

    Example: btard measure-norms --task digits --peers 8 --steps 60
    """
    from dataclasses import asdict
    from json import dumps

    from rich.console import Console
    from rich.progress import Progress

    from btard.lab.norms import measure
    from btard.training import check_device, load_recipe
    from btard.training.task_options import read_options

    recipe = load_recipe(task, options=read_options(option or ()), steps=steps)
    count = recipe.steps if steps is None else steps
    terminal = Console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        row = bar.add_task("steps", total=count)
        norms = measure(
            recipe,
            peers,
            count,
            with_tau,
            check_device(device),
            lambda done, of: bar.update(row, completed=done),
        )
    if json:
        suggested = {"tau": norms.tau, "delta_max": norms.delta_max}
        typer.echo(dumps({"task": task, **asdict(norms), "suggested": suggested}))
    else:
        _show(norms)


def _show(norms: Norms) -> None:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    title = f"|g_i - v| of {norms.peers} peers"
    table = Table("steps", "|g_i|", "least", "10 %", "median", "90 %", "greatest", "parts", title=title)
    for group in norms.stages(6):
        whole = [norm for step in group for norm in step.whole]
        cells = (float(np.quantile(whole, share)) for share in (0.0, 0.1, 0.5, 0.9, 1.0))
        table.add_row(
            f"{group[0].step} to {group[-1].step}",
            f"{float(np.median([step.gradient for step in group])):.3g}",
            *(f"{each:.3g}" for each in cells),
            f"x {max(step.unevenness for step in group):.2f}",
        )
    console.print(table)
    console.print(
        "|g_i|: the median. parts: how much longer the longest part was than the shortest, at most."
    )
    console.print(f"suggested: tau={norms.tau:g}, the median; delta_max={norms.delta_max:g}")
