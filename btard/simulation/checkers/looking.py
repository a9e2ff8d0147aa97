"""What checkers look at: the records that a peer has just made, the removals in them, where a peer is."""

from __future__ import annotations

from collections.abc import Iterator

from btard.node.driver import Work
from btard.protocol.outputs import Recorded
from btard.protocol.record import Removal
from btard.simulation.checker import Scene
from btard.simulation.host import Host
from btard.types import PeerId


def records_of(host: Host, work: Work) -> Iterator[Recorded]:
    """Yield what an honest host has just recorded."""
    return (each for each in work.outputs if host.honest and isinstance(each, Recorded))


def removals_of(scene: Scene, host: Host, work: Work) -> Iterator[tuple[Host, Removal]]:
    """Yield the removals in what an honest host has just recorded, each with its target."""
    for recorded in records_of(host, work):
        for removal in recorded.entry.record.removals:
            yield scene.hosts[scene.index_of[PeerId(removal.peer)]], removal


def place_of(host: Host) -> str:
    """Return the attempt and phase of a host, in words."""
    attempt = host.machine.attempt
    return f"attempt {attempt.state.step}.{attempt.state.attempt}, phase {attempt.phase}"
