"""The terminal's live view of a run: how far it is, how fast, with whom, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from btard.console.lines import delay_line, duration, norms_line, phase_line, rate, stall_line
from btard.console.metrics import metrics_line
from btard.console.pace import Pace
from btard.protocol.record import BAN, LEAVE
from btard.run.events import AttemptEnded, InPhase, Stalled

WORDS = {BAN: "[bold red]banned[/]", LEAVE: "[yellow]lost its seat[/]", "miss": "[yellow]missed the step[/]"}

LOG_S = 10.0
"""Seconds between two lines about steps if there is no terminal: a line a step at most."""


def printable(text: str) -> str:
    """Return a stranger's text without markup and control characters."""
    return escape("".join(c if c.isprintable() else "?" for c in text))


class RunProgress(Progress):
    """A bar, lines about roster, model and norms, and one about the phase under way. Fits in 80 columns.

    `names` maps keys (hex) to what people call a peer, `clock` gives seconds. Without a terminal a line about
    the last step is printed, LOG_S seconds or more after the one before."""

    def __init__(
        self, console: Console, names: Mapping[str, str], clock: Callable[[], float] | None = None
    ) -> None:
        self._names = names
        self._pace = Pace()
        self._bans = self._peers = 0
        self._scores = self._roster = self._norms = self._phase = self._waiting = ""
        self._logged = 0.0
        self._stall: Stalled | None = None
        super().__init__(
            TextColumn("{task.description}"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            get_time=clock,
            refresh_per_second=4,
            expand=True,
        )
        self._bar = self.add_task("joined", total=None, rate="", left="")

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bar and the lines below it."""
        self._update_pace()
        yield self.make_tasks_table(self.tasks)
        for line in (self._roster and self._roster + self._scores, self._norms, self._phase):
            if line:
                yield Text(line)
        if self._waiting:
            yield Text(self._waiting, style="yellow")

    def stop(self) -> None:
        """Leave the last state on the screen, if any was shown."""
        self._phase = ""
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
        self._peers, self._logged = peers, self.get_time()
        self._roster, self._waiting = f"roster {peers}  bans 0", ""
        self.refresh()

    def phase(self, event: InPhase) -> None:
        """Show where this peer is. The record of the step before may come later: it waits for its
        evaluation."""
        self._phase = phase_line(event, self.name, self._peers)
        stall = self._stall
        if stall is not None and (_place(stall) != _place(event) or event.waited_s < stall.waited_s):
            self._waiting, self._stall = "", None
        self._made(event.step, event.step)

    def stalled(self, event: Stalled) -> None:
        """Show who is waited for."""
        self._waiting, self._stall = stall_line(event, self.name), event
        self.refresh()

    def ended(self, event: AttemptEnded) -> None:
        """Show a record."""
        if delay := delay_line(event):
            self.say(f"  step {event.step:>4}  {delay}")
        for removal in event.removals:
            reason = printable(removal.reason)
            word = WORDS.get(removal.kind, printable(removal.kind))
            self.say(f"  step {event.step:>4}  {self.name(removal.peer)} {word}: {reason}")
            self._bans += removal.kind == BAN
        if event.metrics:
            self._scores = "  " + metrics_line(event.metrics)
        if event.kind == "step":
            self._norms = norms_line(event)
        self._peers = event.roster
        self._roster = f"roster {event.roster}  bans {self._bans}"
        stall = self._stall
        if stall is None or (stall.step, stall.attempt) <= (event.step, event.attempt):
            self._waiting, self._stall = "", None
        self._made(event.step + (event.kind == "step"), event.step)
        if not self.console.is_terminal:
            self._log()

    def _made(self, done: int, first: int) -> None:
        """Take note that so many steps are made, or more; `first` is the step at which a run was joined of
        which nothing has been heard so far."""
        if not self._pace.begun:
            self._pace.begin(first, self._logged)
        self._pace.made(done, self.get_time())
        self.update(self._bar, completed=max(done, int(self.tasks[0].completed)))

    def _log(self) -> None:
        """Print a line about the last step, for a file."""
        now = self.get_time()
        if now >= self._logged + LOG_S:
            self._logged = now
            self._update_pace()
            task = self.tasks[0]
            step = f"step {task.completed:.0f}/{task.total or 0:.0f}"
            words = (step, task.fields["rate"], task.fields["left"], self._roster + self._scores, self._norms)
            self.say("  ".join(each for each in words if each))

    def _update_pace(self) -> None:
        for task in self.tasks:  # of which there is none yet while `Progress` is made
            step_s, left_s = self._pace.step_s, self._pace.left_s(int(task.total or 0), self.get_time())
            task.fields["rate"] = "" if step_s is None else rate(step_s)
            task.fields["left"] = "" if left_s is None else f"{duration(left_s)} left"


def _place(event: InPhase | Stalled) -> tuple[int, int, str]:
    return event.step, event.attempt, event.phase
