"""What a peer's machine is made from when a step begins: after it, everything follows from events."""

from __future__ import annotations

from dataclasses import dataclass

from btard.machine import Received
from btard.protocol.agreed import NOBODY_REPORTED, Reported
from btard.protocol.state import RosterState


@dataclass(frozen=True, slots=True)
class Beginning:
    """A step that begins in `state` at `now`: `reported` is what this peer tells of the attempt before,
    `early` are the messages of this and later attempts that have come already, in order.

    Two machines of one identity and secret that begin alike and take the same events at the same times say
    the same, byte for byte."""

    state: RosterState
    now: float
    reported: Reported = NOBODY_REPORTED
    early: tuple[Received, ...] = ()
