"""The terminal's live view of a run: how far it is, how fast, with whom, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from btard.console.metrics import metrics_line
from btard.protocol.record import BAN, LEAVE
from btard.run.events import AttemptEnded, Stalled

WORDS = {BAN: "[bold red]banned[/]", LEAVE: "[yellow]lost its seat[/]", "miss": "[yellow]missed the step[/]"}

NAMED_MAX = 4
"""Missing peers that a line names; it counts the others."""


def printable(text: str) -> str:
    """Return a stranger's text without markup and control characters."""
    return escape("".join(c if c.isprintable() else "?" for c in text))


class RunProgress(Progress):
    """A bar, a line about roster and model, and a line while a step stalls. Fits in 80 columns.

    `names` maps keys (hex) to what people call a peer."""

    def __init__(self, console: Console, names: Mapping[str, str]) -> None:
        self._names = names
        self._bans = 0
        self._scores = self._roster = self._waiting = ""
        super().__init__(
            TextColumn("{task.description}"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            _RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            refresh_per_second=4,
            expand=True,
        )
        self._bar = self.add_task("joined", total=None)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bar and the lines below it."""
        yield self.make_tasks_table(self.tasks)
        if self._roster:
            yield Text(self._roster + self._scores)
        if self._waiting:
            yield Text(self._waiting, style="yellow")

    def stop(self) -> None:
        """Leave the last state on the screen, if any was shown."""
        if self.live.is_started:
            super().stop()

    def name(self, peer: str) -> str:
        """Return what people call a peer."""
        return self._names.get(peer, peer[:8])

    def say(self, text: str, *, whole: bool = False) -> None:
        """Print a line above the bar. On a terminal it is broken between words, unless it stays `whole`."""
        whole = whole or not self.console.is_terminal
        self.console.print(text, highlight=False, soft_wrap=whole)

    def gathered(self, present: int, seats: int) -> None:
        """Show how many peers have joined."""
        self.update(self._bar, completed=present, total=seats)
        self._waiting = "" if present == seats else "processes are starting: each joins over the network"

    def begin(self, steps: int, peers: int) -> None:
        """Show steps from now on."""
        self.reset(self._bar, description="step", total=steps)
        self._roster, self._waiting = f"roster {peers}  bans 0", ""
        self.refresh()

    def stalled(self, event: Stalled) -> None:
        """Show who is waited for."""
        names = ", ".join(self.name(peer) for peer in event.missing[:NAMED_MAX])
        more = len(event.missing) - NAMED_MAX
        names += f" and {more} more" if more > 0 else ""
        if not names:
            self._waiting = f"{event.phase} for {event.waited_s:.0f} s: at work, or settling a dispute"
            self.refresh()
            return
        them = "it" if len(event.missing) == 1 else "them"
        now = event.dispute_in_s <= 0
        then = "deciding whether to go on" if now else f"the others go on in {event.dispute_in_s:.0f} s"
        self._waiting = f"waiting {event.waited_s:.0f} s for {names} ({event.phase}); {then} without {them}"
        self.refresh()

    def ended(self, event: AttemptEnded) -> None:
        """Show a record."""
        for removal in event.removals:
            reason = printable(removal.reason)
            word = WORDS.get(removal.kind, printable(removal.kind))
            self.say(f"  step {event.step:>4}  {self.name(removal.peer)} {word}: {reason}")
            self._bans += removal.kind == BAN
        if event.metrics:
            self._scores = "  " + metrics_line(event.metrics)
        self._roster, self._waiting = f"roster {event.roster}  bans {self._bans}", ""
        self.update(self._bar, completed=event.step + (event.kind == "step"))


class _RateColumn(ProgressColumn):
    """Steps a second, or seconds a step if that is the larger number."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed or task.description != "step":
            return Text("")
        return Text(f"{speed:.1f} steps/s" if speed >= 1 else f"{1 / speed:.1f} s/step")
