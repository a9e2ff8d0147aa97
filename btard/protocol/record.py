"""A ledger record: how one attempt ended, in a few hundred bytes that more than half of its roster signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from btard.crypto import digest
from btard.protocol.messages import DigestField, PhaseName, Reason, Small, StepNumber
from btard.types import Digest, PeerId
from btard.wire import MAX_PEERS, MaxLen, Size, encode, message

STEP = "step"
"""The attempt ended in a step: its aggregates were applied by everybody."""
ABORT = "abort"
"""The attempt ended without one: somebody was removed, or a relay was arranged; the step starts again."""

BAN = "ban"
"""Proven misbehaviour: the identity never holds a seat again."""
LEAVE = "leave"
"""The seat ends without a ban (silent at the wrong moment, or too often)."""
MISS = "miss"
"""The peer loses this step, not its seat."""

Peer = Annotated[bytes, Size(32)]
NOTHING = Digest(bytes(32))


@message("x")
@dataclass(frozen=True, slots=True)
class Removal:
    """Who stops taking part, for how long (`BAN`, `LEAVE` or `MISS`) and why."""

    peer: Peer
    kind: Annotated[str, MaxLen(8)]
    reason: Reason


@message("k")
@dataclass(frozen=True, slots=True)
class RelayedPair:
    """`receiver` gets `sender`'s parts through everybody else: their link is broken. Most peers hold the one
    of this attempt, the blob `part`."""

    sender: Peer
    receiver: Peer
    part: DigestField


@message("R")
@dataclass(frozen=True, slots=True)
class Record:
    """How attempt `attempt` of step `step` ended.

    `participants` is the roster's digest, `phases` and `sets` name the phases that were completed
    and the digest of each agreed set of messages (all commitments, reveals, scalars, accusations and
    votes), `disputed` says that the slow path ended it, `coin` is r_t (zero where it was not
    reached), `model` the digest of the parameters after a STEP.
    """

    run: DigestField
    index: StepNumber
    previous: DigestField
    step: StepNumber
    attempt: Small
    kind: Annotated[str, MaxLen(8)]
    disputed: bool
    participants: DigestField
    phases: Annotated[tuple[PhaseName, ...], MaxLen(8)]
    sets: Annotated[tuple[DigestField, ...], MaxLen(8)]
    coin: DigestField
    removals: Annotated[tuple[Removal, ...], MaxLen(MAX_PEERS)]
    relayed: Annotated[tuple[RelayedPair, ...], MaxLen(MAX_PEERS * MAX_PEERS)]
    model: DigestField

    @property
    def digest(self) -> Digest:
        """What peers sign and the next record chains to."""
        return digest("record", encode(self))

    @property
    def relays(self) -> tuple[tuple[PeerId, PeerId, Digest], ...]:
        """The newly relayed (sender, receiver) pairs, each with the part that most peers hold."""
        return tuple((PeerId(r.sender), PeerId(r.receiver), Digest(r.part)) for r in self.relayed)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a ledger holds: a record, the messages that it follows from, the signatures that certify it."""

    record: Record
    transcript: tuple[bytes, ...]
    certificate: tuple[bytes, ...]
