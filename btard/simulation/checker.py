"""What a checker is, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from btard.machine import Effect
from btard.node.driver import Work
from btard.simulation.host import Host

if TYPE_CHECKING:
    from btard.simulation.world import World


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must hold did not: which checker says so, and what it saw."""

    checker: str
    text: str


class Checker:
    """Complains in words, or returns None. One instance a run."""

    name = ""

    def after(self, world: World, host: Host, work: Work) -> str | None:
        """`host` has handled an event; `work` is left to do, and has outputs or faults."""
        return None

    def passing(self, world: World, host: Host) -> str | None:
        """`host` has handled an event."""
        return None

    def worked(self, world: World, host: Host, effect: Effect) -> str | None:
        """`host` has performed an effect."""
        return None

    def finish(self, world: World) -> str | None:
        """The run is over."""
        return None
