"""The progress of a grid: a bar on a terminal, a line a cell elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from btard.arena.cell import Result, label
from btard.lab import Experiment
from btard.pool import Failure


class Display(AbstractContextManager["Display"]):
    """Shows the progress from its start to its end; `names` are the fields in which the cells differ."""

    def __init__(self, console: Console, cells: int, names: Sequence[str]) -> None:
        self._console = console
        self._cells = cells
        self._names = names
        self._done = 0
        self._running: list[Experiment] = []
        self._bar = Progress(
            TextColumn("cells"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            expand=True,
        )
        self._task = self._bar.add_task("cells", total=cells)
        self._live = Live(self._picture(), console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, experiment: Experiment, result: Result | None) -> None:
        """Show that a cell starts (None), or its result."""
        if result is None:
            self._running.append(experiment)
        else:
            self._running.remove(experiment)
            self._done += 1
            self._bar.advance(self._task)
            name = label(experiment, self._names)
            if not self._console.is_terminal:
                number = f"{self._done:>{len(str(self._cells))}}/{self._cells}"
                self._console.print(Text(f"{number}  {name}: {_words(result)}"), soft_wrap=True)
                self._console.file.flush()
            elif isinstance(result, Failure):
                text = f"{name} [red]crashed[/]: {escape(result.reason)}"
                self._console.print(text, highlight=False, soft_wrap=True)
        self._live.update(self._picture())

    def _picture(self) -> Group:
        lines = [Text(f"  {label(each, self._names)}", style="dim", no_wrap=True) for each in self._running]
        for line in lines:
            line.truncate(self._console.width, overflow="ellipsis")
        return Group(self._bar, *lines)


def _words(result: Result) -> str:
    if isinstance(result, Failure):
        return f"crashed: {result.reason}"
    fate = "" if result.diverged is None else f", diverged in step {result.diverged}"
    return f"{100 * result.final.accuracy:.1f} %{fate}, {result.seconds.total:.1f} s"
