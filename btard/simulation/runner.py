"""Many seeds at once: over all cores, until some fail; then a tally."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from btard.pool import Failure, run_jobs
from btard.simulation import Violation
from btard.simulation.scenario import Scenario, draw_scenario
from btard.simulation.world import Outcome, Trace, World

Run: TypeAlias = Callable[..., Outcome]
"""Runs a seed, given a keyword argument `wish`: `run_seed`, or another function that a process can import."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Scenario fields fixed by the caller; all others are drawn from the seed. `kinds` names adversaries."""

    peers: int | None = None
    steps: int | None = None
    kinds: tuple[str, ...] | None = None

    def command(self, seed: int) -> str:
        """Return the shell command that replays a seed."""
        words = ["btard simulate", f"--seed {seed}"]
        words += [f"--peers {self.peers}"] if self.peers is not None else []
        words += [f"--steps {self.steps}"] if self.steps is not None else []
        if self.kinds is not None:
            counts = Counter(self.kinds)
            kinds = ",".join(f"{kind}*{count}" for kind, count in counts.items())
            words += [f'--byzantine "{kinds}"']
        return " ".join(words)


def run_seed(seed: int, wish: Wish, trace: Trace | None = None) -> Outcome:
    """Run one world, on one thread: sums must not depend on the number of cores."""
    import torch

    torch.set_num_threads(1)
    return World(_scenario(seed, wish), trace=trace).run()


def run_seeds(
    seeds: Sequence[int], wish: Wish, processes: int | None = None, run: Run = run_seed
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of many seeds, in the order in which they end. Close the generator to stop.

    A seed whose process is killed has failed too: its outcome has a violation of "the process".
    """
    for seed in seeds[:1]:
        _scenario(seed, wish)  # an impossible wish is an error, not a failure of every seed
    with closing(run_jobs(seeds, partial(run, wish=wish), processes or os.cpu_count() or 1)) as events:
        for seed, result in events:
            if isinstance(result, Failure):
                yield Outcome(
                    scenario=_scenario(seed, wish),
                    violation=Violation("the process", result.reason),
                    head=None,
                    time_s=0.0,
                    events=0,
                    steps=0,
                    restarts=0,
                    disputes=0,
                    crashes=0,
                    bans=(),
                )
            elif result is not None:
                yield result


@dataclass(slots=True)
class TallyRow:
    """Counts of the runs with one kind of adversary, or of all runs."""

    runs: int = 0
    banned: int = 0
    disputes: int = 0
    restarts: int = 0
    crashes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class SeedTally:
    """Counts outcomes by kind of adversary."""

    rows: dict[str, TallyRow] = field(default_factory=dict)
    total: TallyRow = field(default_factory=TallyRow)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        if outcome.violation is not None:
            self.failed.append(outcome)
        self._count(self.total, outcome, [reason for _, reason in outcome.bans])
        for kind in {each.kind for each in outcome.scenario.byzantine} or {"(none)"}:
            row = self.rows.setdefault(kind, TallyRow())
            self._count(row, outcome, [reason for banned, reason in outcome.bans if banned == kind])

    def _count(self, row: TallyRow, outcome: Outcome, reasons: Sequence[str]) -> None:
        row.runs += 1
        row.banned += bool(reasons)
        row.disputes += outcome.disputes
        row.restarts += outcome.restarts
        row.crashes += outcome.crashes
        row.reasons.update(reasons)


def run_all(
    seeds: Sequence[int],
    wish: Wish,
    failures_max: int,
    on_outcome: Callable[[Outcome], None],
    processes: int | None = None,
    run: Run = run_seed,
) -> SeedTally:
    """Run the seeds, until `failures_max` of them have failed; call `on_outcome` with each."""
    tally = SeedTally()
    with closing(run_seeds(seeds, wish, processes, run)) as outcomes:
        for outcome in outcomes:
            tally.add(outcome)
            on_outcome(outcome)
            if len(tally.failed) >= failures_max:
                break
    return tally


def _scenario(seed: int, wish: Wish) -> Scenario:
    return draw_scenario(seed, wish.peers, wish.steps, wish.kinds)
