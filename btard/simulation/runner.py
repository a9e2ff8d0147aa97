"""Many seeds at once: over all cores, until some fail; then what happened how often."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from btard.simulation.scenario import draw_scenario
from btard.simulation.world import Outcome, Trace, World


@dataclass(frozen=True, slots=True)
class Wish:
    """What is fixed of the scenarios; the rest is drawn. `kinds` are adversaries by name."""

    peers: int | None = None
    steps: int | None = None
    kinds: tuple[str, ...] | None = None

    def command(self, seed: int) -> str:
        """What replays a seed, for a shell."""
        words = ["btard simulate", f"--seed {seed}"]
        words += [f"--peers {self.peers}"] if self.peers is not None else []
        words += [f"--steps {self.steps}"] if self.steps is not None else []
        if self.kinds is not None:
            counts = Counter(self.kinds)
            kinds = ",".join(f"{kind}*{count}" for kind, count in counts.items())
            words += [f'--byzantine "{kinds}"']
        return " ".join(words)


def run_seed(seed: int, wish: Wish, trace: Trace | None = None) -> Outcome:
    """One world, on one thread: sums must not depend on the number of cores."""
    import torch

    torch.set_num_threads(1)
    return World(draw_scenario(seed, wish.peers, wish.steps, wish.kinds), trace=trace).run()


def run_seeds(seeds: Sequence[int], wish: Wish, processes: int | None = None) -> Iterator[Outcome]:
    """The outcomes of many seeds, in the order in which they come. Stop iterating to stop."""
    count = min(processes or os.cpu_count() or 1, len(seeds))
    if count <= 1:
        yield from map(partial(run_seed, wish=wish), seeds)
        return
    # Forking a process that holds torch's threads is no good idea.
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        yield from pool.imap_unordered(partial(run_seed, wish=wish), seeds, chunksize=2)


@dataclass(slots=True)
class Row:
    """What is known of the runs with one kind of adversary; of all runs in the last row."""

    runs: int = 0
    banned: int = 0
    disputes: int = 0
    restarts: int = 0
    crashes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Summary:
    """Counts outcomes by kind of adversary."""

    rows: dict[str, Row] = field(default_factory=dict)
    total: Row = field(default_factory=Row)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        if outcome.violation is not None:
            self.failed.append(outcome)
        kinds = {each.kind for each in outcome.scenario.byzantine} or {"(none)"}
        banned = {kind for kind, _ in outcome.bans}
        for row, reasons in (
            (self.total, [reason for _, reason in outcome.bans]),
            *((self._row(kind), [why for who, why in outcome.bans if who == kind]) for kind in kinds),
        ):
            row.runs += 1
            row.banned += bool(reasons) if row is not self.total else bool(banned)
            row.disputes += outcome.disputes
            row.restarts += outcome.restarts
            row.crashes += outcome.crashes
            row.reasons.update(reasons)

    def _row(self, kind: str) -> Row:
        return self.rows.setdefault(kind, Row())


def run_all(
    seeds: Sequence[int],
    wish: Wish,
    failures_max: int,
    told: Callable[[Outcome], None],
    processes: int | None = None,
) -> Summary:
    """Run seeds until they're through or `failures_max` of them failed; `told` hears of each."""
    summary = Summary()
    for outcome in run_seeds(seeds, wish, processes):
        summary.add(outcome)
        told(outcome)
        if len(summary.failed) >= failures_max:
            break
    return summary
