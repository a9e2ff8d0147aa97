"""Simulated runs on the terminal."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from btard.simulation.faults import Cut
from btard.simulation.outcome import Outcome
from btard.simulation.runner import Overrides, Run, SeedTally, TallyRow, run_all, run_seed


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
        console.print(f"{_broken(cut)} from {cut.start_s:.0f} to {cut.end_s:.0f} s")
    for kind, reason in outcome.bans:
        console.print(f"banned: {kind} for {reason}", markup=False)
    console.print(
        f"{outcome.steps} steps, {outcome.restarts} restarts, {outcome.disputes} disputes, "
        f"{outcome.crashes} crashes, {outcome.events} events, {outcome.time_s:.0f} s of virtual time"
    )
    for name, times in sorted(outcome.coverage.items()):
        console.print(f"{name}: {times}", markup=False)
    if outcome.head is not None:
        console.print(f"ledger head {outcome.head.hex()}")
    if outcome.violation is not None:
        _show_failure(console, outcome, overrides)
    return outcome.violation is None


def show_seeds(first: int, count: int, overrides: Overrides, run: Run = run_seed) -> bool:
    """Run many seeds with a progress bar, then print two tables: by adversary, and of what happened. Return
    whether everything held."""
    console = Console(highlight=False, soft_wrap=True)
    tally = _run(first, count, overrides, console, run)
    console.print(_table(tally))
    console.print(_coverage(tally))
    return not tally.failed


def seeds_json(first: int, count: int, overrides: Overrides) -> tuple[str, bool]:
    """Run many seeds, with progress on the standard error output; return their sums and the seeds that failed
    as JSON, and whether all held."""
    tally = _run(first, count, overrides, Console(highlight=False, soft_wrap=True, stderr=True), run_seed)
    failed = {each.scenario.seed: each.violation.text for each in tally.failed if each.violation}
    rows = {kind: _plain(row) for kind, row in sorted(tally.rows.items())}
    covered = {name: {"runs": tally.covered[name], "times": n} for name, n in sorted(tally.coverage.items())}
    line = {
        "held": not failed,
        "failed": failed,
        "all": _plain(tally.total),
        "kinds": rows,
        "coverage": covered,
    }
    return json.dumps(line), not failed


def _run(first: int, count: int, overrides: Overrides, console: Console, run: Run) -> SeedTally:
    """Run seeds, and say how far it is: a bar on a terminal, else a line for each tenth."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("simulated runs", total=count)
        done = failures = 0

        def on_outcome(outcome: Outcome) -> None:
            nonlocal done, failures
            done += 1
            progress.advance(bar)
            if outcome.violation is not None:
                failures += 1
                _show_failure(console, outcome, overrides)
            if not console.is_terminal and (10 * done) // count > (10 * (done - 1)) // count:
                console.print(f"{done} of {count} runs, {failures} failed")

        return run_all(range(first, first + count), overrides, on_outcome, run)


def _broken(cut: Cut) -> str:
    what = {(True, True): "the link", (True, False): "messages", (False, True): "blobs"}
    arrow = "to" if cut.one_way else "and"
    return f"{what[cut.control, cut.blobs]} of {cut.one} {arrow} {cut.other} cut"


def _plain(row: TallyRow) -> dict[str, Any]:
    return {**{f.name: getattr(row, f.name) for f in fields(row)}, "reasons": dict(row.reasons)}


def _table(tally: SeedTally) -> Table:
    result = Table("adversary", "runs", "with a ban", "reasons", "disputes", "restarts", "crashes")
    for kind, row in sorted(tally.rows.items()):
        result.add_row(kind, *_cells(row))
    result.add_section()
    result.add_row("all", *_cells(tally.total))
    return result


def _coverage(tally: SeedTally) -> Table:
    result = Table("what happened", "runs", "times")
    for name, times in sorted(tally.coverage.items()):
        result.add_row(name, str(tally.covered[name]), str(times))
    return result


def _cells(row: TallyRow) -> tuple[str, ...]:
    reasons = ", ".join(f"{reason} {count}" for reason, count in row.reasons.most_common(4))
    return (str(row.runs), str(row.banned), reasons, str(row.disputes), str(row.restarts), str(row.crashes))


def _show_failure(console: Console, outcome: Outcome, overrides: Overrides) -> None:
    assert outcome.violation is not None
    console.print(f"FAILED ({outcome.violation.checker}) {outcome.violation.text}", markup=False)
    console.print(f"replay: {overrides.command(outcome.scenario.seed)}", markup=False)
