"""How a grid comes along: a bar on a terminal, a line a cell elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from btard.arena.cell import Crash, Result, label
from btard.arena.runner import Watcher
from btard.lab import Experiment


class Display(Watcher, AbstractContextManager["Display"]):
    """A watcher that shows something from its beginning to its end."""


def display(console: Console, cells: int, names: Sequence[str]) -> Display:
    """What fits the console; `names` are the fields in which the cells differ."""
    return Bar(console, cells, names) if console.is_terminal else Lines(console, cells, names)


class Lines(Display):
    """One line a finished cell."""

    def __init__(self, console: Console, cells: int, names: Sequence[str]) -> None:
        self._console = console
        self._cells = cells
        self._names = names
        self._done = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is open."""

    def started(self, experiment: Experiment) -> None:
        """Is told when it ends."""

    def finished(self, experiment: Experiment, result: Result) -> None:
        """Say which cell ended, and how."""
        self._done += 1
        width = len(str(self._cells))
        text = f"{self._done:>{width}}/{self._cells}  {label(experiment, self._names)}: {_words(result)}"
        self._console.print(Text(text), soft_wrap=True)
        self._console.file.flush()


class Bar(Display):
    """Cells done, the time that is left, and what runs."""

    def __init__(self, console: Console, cells: int, names: Sequence[str]) -> None:
        self._console = console
        self._names = names
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

    def __enter__(self) -> Bar:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, experiment: Experiment) -> None:
        """Show that it runs."""
        self._running.append(experiment)
        self._live.update(self._picture())

    def finished(self, experiment: Experiment, result: Result) -> None:
        """Advance; a crash stays on the screen."""
        self._running.remove(experiment)
        self._bar.advance(self._task)
        if isinstance(result, Crash):
            text = f"{label(experiment, self._names)} [red]crashed[/]: {escape(result.reason)}"
            self._live.console.print(text, highlight=False, soft_wrap=True)
        self._live.update(self._picture())

    def _picture(self) -> Group:
        lines = [Text(f"  {label(each, self._names)}", style="dim", no_wrap=True) for each in self._running]
        for line in lines:
            line.truncate(self._console.width, overflow="ellipsis")
        return Group(self._bar, *lines)


def _words(result: Result) -> str:
    if isinstance(result, Crash):
        return f"crashed: {result.reason}"
    fate = "" if result.diverged is None else f", diverged in step {result.diverged}"
    return f"{100 * result.final.accuracy:.1f} %{fate}, {result.seconds.total:.1f} s"
