"""How much of a sender's messages is read in one attempt, by kind, before anything expensive is done.

An honest sender needs a known number of messages an attempt: one in each slot, what others ask it to send
on, its requests, the views of a dispute. What exceeds it several times over is dropped unread, and counted
against the sender. What costs a signature check is bounded besides by what this peer lacks (`Board.lacks`);
a false signature can only come from a Byzantine sender, since honest peers send on what they have verified.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto

from btard.protocol.messages import Need, ViewRelay, Want
from btard.types import PeerId
from btard.wire import SEALED_PREFIX, prefix_of


class Kind(Enum):
    """What bytes look like by their first ones."""

    SEALED = auto()
    REQUEST = auto()
    RELAY = auto()
    NOISE = auto()


class Use(Enum):
    """What is counted of one sender."""

    FALSE = auto()
    """Sealed messages whose bytes or signature do not hold."""
    IDLE = auto()
    """Sealed messages of which nothing is lacking."""
    REQUEST = auto()
    RELAY = auto()
    NOISE = auto()


FALSE_MAX = 8
NOISE_MAX = 8
REQUESTS_MAX = 64
"""Requests of one sender: two of messages a phase, one of blobs; again after each dispute."""

_PREFIXES = {
    SEALED_PREFIX: Kind.SEALED,
    prefix_of(Need): Kind.REQUEST,
    prefix_of(Want): Kind.REQUEST,
    prefix_of(ViewRelay): Kind.RELAY,
}


def kind_of(raw: bytes) -> Kind:
    """Return the kind of hostile bytes by their first ones alone."""
    return next((kind for prefix, kind in _PREFIXES.items() if raw.startswith(prefix)), Kind.NOISE)


class Admission:
    """Counts what senders have used up since `now`, when the attempt began.

    Bounds grow by one half of themselves with each `phase_s`, because peers repeat themselves while an
    attempt lasts. `members` is the number of peers of the roster."""

    def __init__(self, members: int, phase_s: float, now: float) -> None:
        self._began = now
        self._phase_s = phase_s
        self._used: Counter[tuple[PeerId, Use]] = Counter()
        self._most = {
            Use.FALSE: FALSE_MAX,
            Use.NOISE: NOISE_MAX,
            Use.REQUEST: REQUESTS_MAX,
            # Twice each message of each phase on request, and those that began a dispute or ended an attempt.
            Use.IDLE: 256 + 32 * members,
            # Two views of each author, in a dispute for each phase.
            Use.RELAY: 64 + 16 * members,
        }

    def spend(self, sender: PeerId, use: Use) -> None:
        """Count one message."""
        self._used[sender, use] += 1

    def admits(self, sender: PeerId, kind: Kind, now: float) -> bool:
        """Return whether to read a message of this kind."""
        if kind is Kind.SEALED:
            return self._has_left(sender, Use.FALSE, now) and self._has_left(sender, Use.IDLE, now)
        use = Use[kind.name]
        self.spend(sender, use)
        return self._has_left(sender, use, now)

    def _has_left(self, sender: PeerId, use: Use, now: float) -> bool:
        most, used = self._most[use], self._used[sender, use]
        return used <= most or used <= most * (1 + (now - self._began) / (2 * self._phase_s))
