"""The terminal's view of a run: a progress bar with loss, accuracy, roster and bans; then a table."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from btard.protocol.record import BAN, LEAVE, STEP
from btard.run.report import StepReport
from btard.swarm.summary import Summary

WORDS = {BAN: "[bold red]banned[/]", LEAVE: "[yellow]lost its seat[/]", "miss": "[yellow]missed the step[/]"}


class RunProgress:
    """A context manager: call it with each report. `names` maps keys (hex) to what people call a peer."""

    def __init__(self, console: Console, steps: int, peers: int, names: Mapping[str, str]) -> None:
        self._names = names
        self._bans = 0
        self._bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[scores]}"),
            TextColumn("roster {task.fields[roster]}  bans {task.fields[bans]}"),
            TimeElapsedColumn(),
            console=console,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("train", total=steps, scores="", roster=peers, bans=0)

    def __enter__(self) -> RunProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._bar.console.print(text, highlight=False, soft_wrap=True)

    def __call__(self, report: StepReport) -> None:
        """Show a record."""
        for removal in report.removals:
            name = self._names.get(removal.peer, removal.peer[:8])
            self.say(f"  step {report.step:>4}  {name} {WORDS[removal.kind]}: {removal.reason}")
            self._bans += removal.kind == BAN
        if report.accuracy is not None and report.loss is not None:
            scores = f"loss {report.loss:.3f}  accuracy {report.accuracy:.1%}"
            self._bar.update(self._task, scores=scores)
        done = report.step + (report.kind == STEP)
        self._bar.update(self._task, completed=done, roster=report.roster, bans=self._bans)


def show_summary(console: Console, summary: Summary) -> None:
    """The final table, and a line a problem."""
    table = Table(title="Who lost its seat", title_justify="left", show_edge=False, pad_edge=False)
    for column in ("peer", "what it is", "outcome", "step", "reason"):
        table.add_column(column)
    for each in summary.exits:
        name = each.name.split(" ")[0]
        word = "banned" if each.kind == BAN else "left"
        table.add_row(name, each.byzantine or "[bold]honest[/]", word, str(each.step), each.reason)
    if summary.exits:
        console.print(table)
    for name in summary.seated_adversaries:
        console.print(f"{name} still holds its seat")
    score = ""
    if summary.final_accuracy is not None and summary.final_loss is not None:
        score = f"accuracy {summary.final_accuracy:.2%}, loss {summary.final_loss:.4f}, "
    lines = [
        f"\n{summary.steps} steps in {summary.seconds:.1f} s: {score}"
        f"model {summary.model_digest[:16]}, ledger {summary.ledger_digest[:16]}",
        f"sent by each honest peer, a step: {summary.tensor_bytes / 1e3:.1f} kB of tensors "
        f"({summary.bytes_ratio:.3f} x butterfly all-reduce), "
        f"{summary.control_bytes / 1e3:.1f} kB of messages",
        *(f"[bold red]problem:[/] {problem}" for problem in summary.problems),
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
