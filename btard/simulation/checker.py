"""What a checker is, what it sees, and what it says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from btard.machine import Effect
from btard.node.driver import Work
from btard.protocol.outputs import Recorded
from btard.protocol.state import RosterState
from btard.simulation.host import Host
from btard.simulation.links import Links
from btard.simulation.scenario import Scenario
from btard.simulation.traffic import Traffic
from btard.types import Bytes, Digest, PeerId


class Scene(Protocol):
    """What a checker sees of a world. `records` is the honest ledger so far, `index_of` the peers by name,
    `archive` every blob that somebody has committed to or aggregated; `coverage` counts what was looked at,
    by name."""

    now: float
    scenario: Scenario
    genesis: RosterState
    hosts: list[Host]
    index_of: dict[PeerId, int]
    records: list[Recorded]
    archive: dict[Digest, Bytes]
    coverage: Counter[str]
    links: Links
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must hold did not: which checker says so, and what it saw."""

    checker: str
    text: str


class Checker:
    """Complains in words, or returns None. One instance a run."""

    name = ""

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        """`host` has handled an event; `work` is left to do, and has outputs or faults."""
        return None

    def passing(self, scene: Scene, host: Host) -> str | None:
        """`host` has handled an event."""
        return None

    def worked(self, scene: Scene, host: Host, effect: Effect) -> str | None:
        """`host` has performed an effect."""
        return None

    def refused(self, scene: Scene, host: Host, sender: PeerId, name: Digest, size_bytes: int) -> str | None:
        """`host` has refused a blob that `sender` offered."""
        return None

    def finish(self, scene: Scene) -> str | None:
        """The run is over."""
        return None
