"""Simulated runs on the terminal."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from btard.simulation.runner import Overrides, Run, SeedTally, TallyRow, run_all, run_seed
from btard.simulation.outcome import Outcome


def show_seed(seed: int, overrides: Overrides, trace: bool) -> bool:
    """Run one seed and print its outcome. Return whether everything held."""
    console = Console(highlight=False, soft_wrap=True)
    tell = (lambda time, peer, words: print(f"{time:10.3f}  {peer:>2}  {words}")) if trace else None
    outcome = run_seed(seed, overrides, tell)
    scenario = outcome.scenario
    console.print(f"seed {seed}: {scenario.peers} peers, {scenario.steps} steps")
    for cheat in scenario.byzantine:
        console.print(f"peer {cheat.peer} is byzantine: {cheat.kind}", markup=False)
    for crash in scenario.crashes:
        console.print(f"peer {crash.peer} crashes in {crash.phase} of step {crash.step}")
    for slow in scenario.slow:
        console.print(f"peer {slow.peer} is slow in step {slow.step}")
    for cut in scenario.cuts:
        console.print(f"the link {cut.one} - {cut.other} is cut from {cut.start_s:.0f} to {cut.end_s:.0f} s")
    for kind, reason in outcome.bans:
        console.print(f"banned: {kind} for {reason}", markup=False)
    console.print(
        f"{outcome.steps} steps, {outcome.restarts} restarts, {outcome.disputes} disputes, "
        f"{outcome.crashes} crashes, {outcome.events} events, {outcome.time_s:.0f} s of virtual time"
    )
    if outcome.head is not None:
        console.print(f"ledger head {outcome.head.hex()}")
    if outcome.violation is not None:
        _show_failure(console, outcome, overrides)
    return outcome.violation is None


def show_seeds(first: int, count: int, overrides: Overrides, run: Run = run_seed) -> bool:
    """Run many seeds with a progress bar, then print a table. Return whether everything held."""
    console = Console(highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("simulated runs", total=count)

        def on_outcome(outcome: Outcome) -> None:
            progress.advance(bar)
            if outcome.violation is not None:
                _show_failure(progress.console, outcome, overrides)

        tally = run_all(range(first, first + count), overrides, on_outcome, run)
    console.print(_table(tally))
    return not tally.failed


def seeds_json(first: int, count: int, overrides: Overrides) -> tuple[str, bool]:
    """Run many seeds; return their sums and the seeds that failed as JSON, and whether all held."""
    tally = run_all(range(first, first + count), overrides)
    failed = {each.scenario.seed: each.violation.text for each in tally.failed if each.violation}
    rows = {kind: _plain(row) for kind, row in sorted(tally.rows.items())}
    line = {"held": not failed, "failed": failed, "all": _plain(tally.total), "kinds": rows}
    return json.dumps(line), not failed


def _plain(row: TallyRow) -> dict[str, Any]:
    return {**{f.name: getattr(row, f.name) for f in fields(row)}, "reasons": dict(row.reasons)}


def _table(tally: SeedTally) -> Table:
    result = Table("adversary", "runs", "with a ban", "reasons", "disputes", "restarts", "crashes")
    for kind, row in sorted(tally.rows.items()):
        result.add_row(kind, *_cells(row))
    result.add_section()
    result.add_row("all", *_cells(tally.total))
    return result


def _cells(row: TallyRow) -> tuple[str, ...]:
    reasons = ", ".join(f"{reason} {count}" for reason, count in row.reasons.most_common(4))
    return (str(row.runs), str(row.banned), reasons, str(row.disputes), str(row.restarts), str(row.crashes))


def _show_failure(console: Console, outcome: Outcome, overrides: Overrides) -> None:
    assert outcome.violation is not None
    console.print(f"FAILED ({outcome.violation.checker}) {outcome.violation.text}", markup=False)
    console.print(f"replay: {overrides.command(outcome.scenario.seed)}", markup=False)
