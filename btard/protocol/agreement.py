"""Authenticated agreement on what everybody's view is (Dolev and Strong 1983, all senders in parallel).

The slow path of broadcast. Every participant signs one view; all honest participants end with the same
view, or none, of each participant, under synchrony: a message between honest peers arrives within delta.
Rounds last 2 delta (one for the message, one for the skew with which honest peers start), there are f + 1 of
them, and a view that arrives in round r counts only with r signatures of distinct relays besides its
author's. A peer that accepts a view relays it, signed. f is any bound on the Byzantine participants, n / 2
or more included; the largest minority of the *members* bounds them in every attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from btard.crypto import Identity, digest, verify
from btard.protocol.messages import ViewRelay
from btard.types import Digest, PeerId
from btard.wire import Sealed

VIEWS_MAX = 2
"""Views of one author that count: two prove it false."""


class Agreement:
    """One instance, against up to `faults` Byzantine participants: `accept` relays until `deadline`, then
    read `agreed`.

    A peer without a seat follows it, and relays nothing."""

    def __init__(
        self,
        identity: Identity,
        participants: Sequence[PeerId],
        faults: int,
        place: bytes,
        delta_s: float,
        now: float,
    ) -> None:
        self._identity = identity
        self._participants = tuple(participants)
        self._place = place
        self._start = now
        self._round_s = 2 * delta_s
        self._rounds = faults + 1
        self._accepted: dict[int, list[Sealed]] = {seat: [] for seat in range(len(self._participants))}
        self._seat = participants.index(identity.peer) if identity.peer in participants else None

    def restart(self, now: float) -> None:
        """Count the rounds from now. What was accepted stays accepted: it counts as the first round's."""
        self._start = now

    @property
    def deadline(self) -> float:
        """When the last round is over."""
        return self._start + self._rounds * self._round_s

    def wants(self, author: int, view: Digest) -> bool:
        """Whether a view of this digest, of seat `author`, would be new: two prove it false."""
        held = self._accepted[author]
        return len(held) < VIEWS_MAX and all(view != other.digest for other in held)

    def holds(self, raw: bytes) -> bool:
        """Return whether these very bytes are an accepted view."""
        return any(raw == view.raw for views in self._accepted.values() for view in views)

    def accept(self, author: int, view: Sealed, relay: ViewRelay, now: float) -> ViewRelay | None:
        """Take a relayed view of seat `author` whose envelope was checked; what to relay in turn."""
        is_due = self.wants(author, view.digest) and now <= self.deadline
        if not is_due or not self._signatures_hold(author, view, relay, now):
            return None
        self._accepted[author].append(view)
        if self._seat is None or self._seat in (author, *relay.signers):
            return None
        signature = self._identity.sign(self._statement(view))
        return replace(relay, signers=(*relay.signers, self._seat), signatures=(*relay.signatures, signature))

    def _signatures_hold(self, author: int, view: Sealed, relay: ViewRelay, now: float) -> bool:
        signers = relay.signers
        current = int((now - self._start) / self._round_s)
        return (
            len(signers) == len(relay.signatures) == len(set(signers))
            and author not in signers
            and len(signers) >= min(current, self._rounds - 1)
            and all(seat < len(self._participants) for seat in signers)
            and all(
                verify(self._participants[seat], self._statement(view), signature)
                for seat, signature in zip(signers, relay.signatures, strict=True)
            )
        )

    def _statement(self, view: Sealed) -> bytes:
        return digest("view relay", self._place, view.digest)

    @property
    def agreed(self) -> tuple[tuple[Sealed, ...], ...]:
        """By seat: the one view that counts; nothing from the silent; two from whoever signed two."""
        return tuple(tuple(self._accepted[seat]) for seat in range(len(self._participants)))
