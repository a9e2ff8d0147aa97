"""Many seeds at once: over all cores, until some fail; then a tally."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

import torch

from btard.pool import Failure, cores, run_jobs
from btard.simulation import Violation
from btard.simulation.drawing import draw_scenario
from btard.simulation.outcome import Outcome
from btard.simulation.scenario import Scenario
from btard.simulation.world import Trace, World

FAILURES_MAX: Final = 3
"""Number of failing seeds after which to stop."""

Run: TypeAlias = Callable[..., Outcome]
"""Runs a seed, given a keyword `overrides`: `run_seed`, or another function that a process can import."""


@dataclass(frozen=True, slots=True)
class Overrides:
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
            kinds = ",".join(f"{kind}*{count}" for kind, count in Counter(self.kinds).items())
            words += [f'--byzantine "{kinds}"']
        return " ".join(words)

    def draw(self, seed: int) -> Scenario:
        """Return the scenario of a seed. Raises ConfigurationError if these fields cannot be."""
        return draw_scenario(seed, self.peers, self.steps, self.kinds)


def run_seed(seed: int, overrides: Overrides, trace: Trace | None = None) -> Outcome:
    """Run one world, on one thread: sums must not depend on the number of cores."""
    torch.set_num_threads(1)
    return World(overrides.draw(seed), trace=trace).run()


def run_seeds(
    seeds: Sequence[int], overrides: Overrides, processes: int | None = None, run: Run = run_seed
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of many seeds, in the order in which they end. Close the generator to stop.

    A seed whose process is killed has failed too: its outcome has a violation of "the process".
    """
    for seed in seeds[:1]:
        overrides.draw(seed)  # what cannot be is an error, not a failure of every seed
    work = partial(run, overrides=overrides)
    with closing(run_jobs(seeds, work, processes or cores())) as events:
        for seed, result in events:
            if isinstance(result, Failure):
                yield Outcome(overrides.draw(seed), Violation("the process", result.reason))
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

    def add(self, outcome: Outcome, reasons: Sequence[str]) -> None:
        """Count one run, with the reasons of the bans that concern this row."""
        self.runs += 1
        self.banned += bool(reasons)
        self.disputes += outcome.disputes
        self.restarts += outcome.restarts
        self.crashes += outcome.crashes
        self.reasons.update(reasons)


@dataclass(slots=True)
class SeedTally:
    """Counts outcomes by kind of adversary. `coverage` sums what happened in them, by name, `covered` counts
    the runs in which it did."""

    rows: dict[str, TallyRow] = field(default_factory=dict)
    total: TallyRow = field(default_factory=TallyRow)
    failed: list[Outcome] = field(default_factory=list)
    coverage: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        if outcome.violation is not None:
            self.failed.append(outcome)
        self.coverage.update(outcome.coverage)
        self.covered.update(outcome.coverage.keys())
        self.total.add(outcome, [reason for _, reason in outcome.bans])
        for kind in {each.kind for each in outcome.scenario.byzantine} or {"(none)"}:
            row = self.rows.setdefault(kind, TallyRow())
            row.add(outcome, [reason for banned, reason in outcome.bans if banned == kind])


def run_all(
    seeds: Sequence[int],
    overrides: Overrides,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
    run: Run = run_seed,
) -> SeedTally:
    """Run the seeds, until FAILURES_MAX of them have failed; call `on_outcome` with each."""
    tally = SeedTally()
    with closing(run_seeds(seeds, overrides, run=run)) as outcomes:
        for outcome in outcomes:
            tally.add(outcome)
            on_outcome(outcome)
            if len(tally.failed) >= FAILURES_MAX:
                break
    return tally
