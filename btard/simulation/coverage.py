"""What happened in a run, counted by name: what was not counted anywhere was not tested."""

from __future__ import annotations

from collections import Counter

from btard.simulation.checker import Scene
from btard.simulation.faults import Cut


def coverage_of(scene: Scene) -> Counter[str]:
    """Return what checkers have compared, how the ledger's records came about, what was broken and forged,
    and what adversaries say that they did (a Counter `behaviours`, if they have one)."""
    count = scene.coverage.copy()
    for recorded in scene.records:
        record = recorded.entry.record
        count[f"record {record.kind}{' disputed' if record.disputed else ''}"] += 1
        count.update(f"removal {removal.kind} {removal.reason}" for removal in record.removals)
        count["complaint"] += len(record.complaints)
    count["forgery"] += scene.traffic.forgeries
    count.update(f"cut {_words(cut)}" for cut in scene.scenario.cuts)
    for host in scene.hosts:
        for name, times in getattr(host.adversary, "behaviours", {}).items():
            count[f"behaviour {name}"] += times
    return +count


def _words(cut: Cut) -> str:
    what = " and ".join(name for name, broken in (("control", cut.control), ("blobs", cut.blobs)) if broken)
    return f"{what} {'one way' if cut.one_way else 'both ways'}"
