"""Calls for a dispute: what a peer says when its hard deadline has passed, before it freezes.

Calls of f + 1 distinct participants, for one dispute and one phase, begin the dispute: one of them is honest,
so an honest deadline has passed. Whoever begins sends them on, and they count for every receiver alike,
whatever phase it is in: so all honest peers begin together. f peers alone begin nothing.
"""

from __future__ import annotations

from btard.protocol.agreed import Seating
from btard.protocol.broadcast import is_at
from btard.protocol.constants import tolerated
from btard.protocol.messages import CALL, PHASES, Call
from btard.types import FaultKind
from btard.wire import Claim, Rejection, Sealed, decode


class Calls:
    """The calls of one attempt. Bounded: of the next dispute and the one after it, one a peer and phase.

    The one after it counts too: peers end a dispute at most delta_s apart."""

    def __init__(self, seating: Seating) -> None:
        self._place = seating.place(CALL)
        self._seat_of = {peer: seat for seat, peer in enumerate(seating.participants)}
        self._needed = tolerated(len(seating.participants)) + 1
        self._dispute = 0
        self._held: dict[tuple[int, str], dict[int, bytes]] = {}

    def add(self, sealed: Sealed) -> Rejection | None:
        """Take a signed call; return why it is none. One of a dispute that is over is ignored."""
        slot = self._slot(sealed)
        if isinstance(slot, Rejection):
            return slot
        if slot is not None:
            self._held.setdefault(slot[:2], {}).setdefault(slot[2], sealed.raw)
        return None

    def lacks(self, claim: Claim) -> bool | Rejection:
        """Return whether a call that claims this would count anew, or why it is none: before its signature
        is checked."""
        slot = self._slot(claim)
        if isinstance(slot, Rejection):
            return slot
        return slot is not None and slot[2] not in self._held.get(slot[:2], {})

    def _slot(self, said: Sealed | Claim) -> tuple[int, str, int] | Rejection | None:
        """Return dispute, phase and seat of a call; None for a dispute that is over, or too far off."""
        seat = self._seat_of.get(said.envelope.sender)
        call = decode(Call, said.envelope.payload)
        if isinstance(call, Rejection):
            return call
        if seat is None or not is_at(said, self._place) or call.phase not in PHASES:
            return Rejection(FaultKind.OUT_OF_BOUNDS, "a call is none of this attempt")
        near = call.dispute in (self._dispute, self._dispute + 1)
        return (call.dispute, call.phase, seat) if near else None

    def held(self, phase: str) -> tuple[bytes, ...]:
        """Return all calls for the dispute to come, of one phase."""
        return tuple(self._held.get((self._dispute, phase), {}).values())

    def enough(self) -> tuple[bytes, ...]:
        """Return f + 1 calls for the dispute to come, of one phase; nothing while there are fewer."""
        for phase in PHASES:
            held = self._held.get((self._dispute, phase), {})
            if len(held) >= self._needed:
                return tuple(held[seat] for seat in sorted(held)[: self._needed])
        return ()

    def next(self, dispute: int) -> None:
        """Await the calls for another dispute."""
        self._dispute = dispute
        self._held = {key: held for key, held in self._held.items() if key[0] >= dispute}
