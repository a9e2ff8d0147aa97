"""How a simulated run went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from btard.simulation.checker import Violation
from btard.simulation.scenario import Scenario
from btard.types import Digest


@dataclass(frozen=True, slots=True)
class Outcome:
    """`bans` are (kind of adversary, reason), `coverage` counts what happened in the run, by name; `head` is
    the ledger's."""

    scenario: Scenario
    violation: Violation | None
    head: Digest | None = None
    time_s: float = 0.0
    events: int = 0
    steps: int = 0
    restarts: int = 0
    disputes: int = 0
    crashes: int = 0
    bans: tuple[tuple[str, str], ...] = ()
    coverage: Counter[str] = field(default_factory=Counter)
