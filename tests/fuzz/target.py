"""A target of fuzzing, and its run: what went in, what it cost, and whatever should not have happened."""

from __future__ import annotations

import re
import resource
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from cryptography.utils import CryptographyDeprecationWarning

from tests.fuzz.mutation import Mutate, mutate_packed

POOL_MAX = 512
"""Inputs that are kept to be changed again: the seeds, and each input that led to a new outcome."""

POOLED_BYTES_MAX = 4096
"""Of an input that is kept, unless a seed is longer: inputs grow by being changed, and slow the rest down."""

TRACED = 64
"""One input of so many is read under `tracemalloc`."""

MEMORY_FLOOR_BYTES = 1 << 20
MEMORY_FACTOR = 256
"""Reading n bytes may allocate 256 n bytes beyond the floor at its peak: an entry of three bytes in a JSON
object takes about 100 bytes."""


@dataclass(frozen=True)
class Target:
    """`read` takes hostile bytes and returns a value, or raises one of `refusals`; it asserts what must hold
    of the value. `seeds` are inputs to begin with. `fresh` gives one as random as its schema allows.
    An input of a costly target counts as `counts_as` of a decoder."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = ()
    mutate: Mutate = mutate_packed
    fresh: Callable[[Random], bytes] | None = None
    memory_bytes: int = MEMORY_FLOOR_BYTES
    counts_as: int = 1


@dataclass
class Report:
    """What a run came to: CPU seconds in all and of the slowest input, the highest peak of traced memory of
    one input, and failures as (what, input)."""

    name: str
    inputs: int = 0
    accepted: int = 0
    outcomes: set[str] = field(default_factory=set)
    cpu_s: float = 0.0
    slowest_s: float = 0.0
    slowest: bytes = b""
    traced_bytes: int = 0
    failures: list[tuple[str, bytes]] = field(default_factory=list)

    def fail(self, what: str, raw: bytes) -> None:
        """Note a failure, of its kind only the first."""
        if all(what != known for known, _ in self.failures):
            self.failures.append((what, raw))

    def __str__(self) -> str:
        return (
            f"{self.name:<14} {self.inputs:>8} inputs  {self.accepted:>7} accepted  "
            f"{len(self.outcomes):>4} outcomes  "
            f"{self.cpu_s:>7.1f} s  slowest {1e3 * self.slowest_s:>7.2f} ms ({len(self.slowest)} bytes)  "
            f"memory {self.traced_bytes / 1024:>6.0f} KiB  {len(self.failures)} failures"
        )


def cpu_s() -> float:
    """The processor time of this process: what others do on the machine does not count."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def fuzz(
    target: Target, inputs: int, seed: int, corpus: Sequence[bytes] = (), failures_max: int = 5
) -> Report:
    """Read the corpus and the seeds as they are, then mutations of them until there were `inputs`."""
    random = Random(f"{target.name} {seed}")
    report = Report(target.name)
    pool = [*corpus, *target.seeds()]
    bytes_max = max(POOLED_BYTES_MAX, *map(len, pool), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Of certificates whose serial number is not positive: a later version of cryptography refuses them.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for raw in tuple(pool):
            _read(target, raw, report, traced=True)
        while report.inputs < inputs and len(report.failures) < failures_max:
            if target.fresh is not None and random.random() < 0.1:
                raw = target.fresh(random)
            else:
                raw = target.mutate(random, random.choice(pool), pool)
            is_new = _read(target, raw, report, traced=report.inputs % TRACED == 0)
            if is_new and len(raw) <= bytes_max:
                if len(pool) < POOL_MAX:
                    pool.append(raw)
                else:
                    pool[random.randrange(POOL_MAX // 2, POOL_MAX)] = raw
    return report


def _read(target: Target, raw: bytes, report: Report, traced: bool) -> bool:
    """Read one input; return whether its outcome is new."""
    if traced:
        tracemalloc.start()
    before = cpu_s()
    try:
        value: Any = target.read(raw)
        outcome = f"= {type(value).__name__}"
        report.accepted += 1
    except target.refusals as refusal:
        outcome = re.sub(r"[0-9a-f]{6,}|[0-9]+|'.*?'", "_", f"{type(refusal).__name__} {refusal}")[:80]
    except Exception as error:
        outcome = f"! {type(error).__name__}: {error}"[:300]
        report.fail(outcome, raw)
    spent = cpu_s() - before
    if traced:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        report.traced_bytes = max(report.traced_bytes, peak)
        if peak > target.memory_bytes + MEMORY_FACTOR * len(raw):
            report.fail(f"! {peak >> 20} MiB of memory for {len(raw) >> 10} KiB", raw)
    else:
        report.cpu_s += spent
        if spent > report.slowest_s:
            report.slowest_s, report.slowest = spent, raw
    report.inputs += 1
    is_new = outcome not in report.outcomes and len(report.outcomes) < POOL_MAX
    report.outcomes.add(outcome) if is_new else None
    return is_new
