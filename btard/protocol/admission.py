"""How much of a sender's messages is read in one attempt, by kind, before anything expensive is done.

An honest sender needs a known number of messages an attempt: one in each slot, what others ask it to send
on, its requests, the views of a dispute. What exceeds it several times over is dropped unread, and counted
against the sender. What costs a signature check is bounded besides by what this peer lacks (`Board.lacks`);
a false signature can only come from a Byzantine sender, since honest peers send on what they have verified.
"""

from __future__ import annotations

from collections import defaultdict
from enum import IntEnum

from btard.protocol.messages import Need, ViewRelay, Want
from btard.types import PeerId
from btard.wire import SEALED_PREFIX, prefix_of


class Use(IntEnum):
    """What is counted of one sender. Bytes whose kind is SEALED are counted as FALSE or IDLE, if at all."""

    SEALED = 0
    REQUEST = 1
    RELAY = 2
    NOISE = 3
    FALSE = 4
    """Sealed messages whose form or signature does not hold."""
    IDLE = 5
    """Sealed messages of which nothing is lacking."""


FALSE_MAX = 8
NOISE_MAX = 8
REQUESTS_MAX = 64
"""Requests of one sender: two of messages a phase, some of blobs; again after each dispute."""

_OF_SEALED = (Use.FALSE, Use.IDLE)
_SHORT = 3
_KINDS = {
    prefix_of(Need)[:_SHORT]: Use.REQUEST,
    prefix_of(Want)[:_SHORT]: Use.REQUEST,
    prefix_of(ViewRelay)[:_SHORT]: Use.RELAY,
}


def kind_of(raw: bytes) -> Use:
    """Return the kind of hostile bytes by their first ones alone."""
    return Use.SEALED if raw.startswith(SEALED_PREFIX) else _KINDS.get(raw[:_SHORT], Use.NOISE)


class Admission:
    """Counts what senders have used up since `now`, when the attempt began.

    Bounds grow by one half of themselves with each `phase_s`, because peers repeat themselves while an
    attempt lasts. `members` is the number of peers of the roster."""

    def __init__(self, members: int, phase_s: float, now: float) -> None:
        self._began = now
        self._phase_s = phase_s
        self._used: defaultdict[PeerId, list[int]] = defaultdict(lambda: [0] * len(Use))
        # Twice each message of each phase on request, and those that began a dispute or ended an attempt.
        idle = 256 + 32 * members
        # Two views of each author, in a dispute for each phase.
        relays = 64 + 16 * members
        self._most = (0, REQUESTS_MAX, relays, NOISE_MAX, FALSE_MAX, idle)

    def spend(self, sender: PeerId, use: Use, now: float) -> bool:
        """Count one message; return whether it is still within bounds."""
        used = self._used[sender]
        used[use] += 1
        return used[use] <= self._bound(use, now)

    def is_over(self, sender: PeerId, kind: Use, now: float) -> bool:
        """Return whether so much has come that messages of this kind are not even counted."""
        used = self._used[sender]
        uses = _OF_SEALED if kind is Use.SEALED else (kind,)
        return any(used[use] > self._most[use] and used[use] > self._bound(use, now) for use in uses)

    def _bound(self, use: Use, now: float) -> float:
        return self._most[use] * (1 + (now - self._began) / (2 * self._phase_s))
