"""Simulated runs on the terminal."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from btard.simulation.runner import Run, SeedTally, TallyRow, Wish, run_all, run_seed
from btard.simulation.scenario import Scenario
from btard.simulation.world import Outcome

FAILURES_MAX = 3
"""Number of failing seeds after which to stop."""


def show_seed(seed: int, wish: Wish, trace: bool) -> bool:
    """Run one seed and print its outcome. Return whether everything held."""
    console = Console(highlight=False, soft_wrap=True)
    tell = (lambda time, peer, words: print(f"{time:10.3f}  {peer:>2}  {words}")) if trace else None
    outcome = run_seed(seed, wish, tell)
    console.print(describe(outcome.scenario), markup=False)
    for kind, reason in outcome.bans:
        console.print(f"banned: {kind} for {reason}", markup=False)
    console.print(
        f"{outcome.steps} steps, {outcome.restarts} restarts, {outcome.disputes} disputes, "
        f"{outcome.crashes} crashes, {outcome.events} events, {outcome.time_s:.0f} s of virtual time"
    )
    if outcome.head is not None:
        console.print(f"ledger head {outcome.head.hex()}")
    if outcome.violation is not None:
        _show_failure(console, outcome, wish)
    return outcome.violation is None


def show_seeds(first: int, count: int, wish: Wish, run: Run = run_seed) -> bool:
    """Run many seeds with a progress bar, then print a table. Return whether everything held."""
    console = Console(highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("simulated runs", total=count)

        def on_outcome(outcome: Outcome) -> None:
            progress.advance(bar)
            if outcome.violation is not None:
                _show_failure(progress.console, outcome, wish)

        tally = run_all(range(first, first + count), wish, FAILURES_MAX, on_outcome, run=run)
    console.print(table(tally))
    return not tally.failed


def seeds_json(first: int, count: int, wish: Wish) -> tuple[str, bool]:
    """Run many seeds; return their sums and the seeds that failed as JSON, and whether all held."""
    summary = run_all(range(first, first + count), wish, FAILURES_MAX, lambda _: None)
    failed = {each.scenario.seed: each.violation.text for each in summary.failed if each.violation}
    rows = {kind: asdict(row) for kind, row in sorted(summary.rows.items())}
    line = {"held": not failed, "failed": failed, "all": asdict(summary.total), "kinds": rows}
    return json.dumps(line), not failed


def describe(scenario: Scenario) -> str:
    """Return the scenario in a few lines."""
    lines = [f"seed {scenario.seed}: {scenario.peers} peers, {scenario.steps} steps"]
    lines += [f"peer {each.peer} is byzantine: {each.kind}" for each in scenario.byzantine]
    lines += [f"peer {each.peer} crashes in {each.phase} of step {each.step}" for each in scenario.crashes]
    lines += [f"peer {each.peer} is slow in step {each.step}" for each in scenario.slow]
    lines += [
        f"the link {each.one} - {each.other} is cut from {each.start_s:.0f} to {each.end_s:.0f} s"
        for each in scenario.cuts
    ]
    return "\n".join(lines)


def table(tally: SeedTally) -> Table:
    """Return the number of runs with each kind of adversary, and their results."""
    result = Table("adversary", "runs", "with a ban", "reasons", "disputes", "restarts", "crashes")
    for kind, row in sorted(tally.rows.items()):
        result.add_row(kind, *_cells(row))
    result.add_section()
    result.add_row("all", *_cells(tally.total))
    return result


def _cells(row: TallyRow) -> tuple[str, ...]:
    reasons = ", ".join(f"{reason} {count}" for reason, count in row.reasons.most_common(4))
    return (str(row.runs), str(row.banned), reasons, str(row.disputes), str(row.restarts), str(row.crashes))


def _show_failure(console: Console, outcome: Outcome, wish: Wish) -> None:
    assert outcome.violation is not None
    console.print(f"FAILED ({outcome.violation.checker}) {outcome.violation.text}", markup=False)
    console.print(f"replay: {wish.command(outcome.scenario.seed)}", markup=False)
