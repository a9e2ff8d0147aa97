"""A ledger record: how one attempt ended, in a few hundred bytes that more than half of its roster signed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Final, Literal

from btard.crypto import digest
from btard.protocol.messages import DigestField, Late, Millis, Phase, PhaseName, Small, StepNumber
from btard.types import Digest
from btard.wire import MAX_PEERS, MaxLen, Size, encode, message

STEP: Final = "step"
"""The attempt ended in a step: its aggregates were applied by everybody."""
CLOSE: Final = "close"
"""The attempt after the last step ended: its gradients are validated, and the run is over."""
ABORT: Final = "abort"
"""The attempt ended without one: somebody was removed, or a part did not come; the step starts again."""

BAN: Final = "ban"
"""Proven misbehaviour: the identity never holds a seat again."""
LEAVE: Final = "leave"
"""The seat ends without a ban (silent at the wrong moment, or too often)."""
MISS: Final = "miss"
"""The peer loses this step, not its seat."""


class Cause(str, Enum):
    """Why a peer was removed: part of the record, and so of the ledger's hashes."""

    FALSE_GRADIENT = "false gradient"
    FALSE_SCALARS = "false scalars"
    FALSE_FINGERPRINT = "false fingerprint"
    FALSE_VALIDATION = "false validation"
    FALSE_ACCUSATION = "false accusation"
    FALSE_REVEAL = "false reveal"
    FALSE_DIGEST = "false digest"
    WRONG_AGGREGATE = "wrong aggregate"
    EQUIVOCATION = "equivocation"
    MALFORMED_MESSAGE = "malformed message"
    WITHHELD_PART = "withheld part"
    WITHHELD_AGGREGATE = "withheld aggregate"
    WITHHELD_EVIDENCE = "withheld evidence"
    UNREACHABLE = "unreachable"
    SLOW = "slow"
    SILENT = "silent"
    SILENT_IN_GRADIENT = "silent in phase gradient"
    SILENT_IN_AGGREGATE = "silent in phase aggregate"
    SILENT_IN_REVEAL = "silent in phase reveal"
    SILENT_IN_SCALARS = "silent in phase scalars"
    SILENT_IN_ACCUSE = "silent in phase accuse"
    SILENT_IN_VERDICT = "silent in phase verdict"
    SILENT_IN_RECORD = "silent in phase record"

    # A cause equals its text, so it is to hash and to print like it.
    __hash__ = str.__hash__
    __str__ = str.__str__

    @classmethod
    def silent_in(cls, phase: Phase) -> Cause:
        """Return the cause of a peer that did not speak in a phase."""
        return cls(f"silent in phase {phase}")


Peer = Annotated[bytes, Size(32)]
NOTHING = Digest(bytes(32))


@message("x")
@dataclass(frozen=True, slots=True)
class Removal:
    """A peer that stops taking part, for how long (`BAN`, `LEAVE` or `MISS`) and why."""

    peer: Peer
    kind: Literal["ban", "leave", "miss"]
    reason: Cause


@message("j")
@dataclass(frozen=True, slots=True)
class Admission:
    """A peer that holds a seat from the next step on. No rule admits anybody yet."""

    peer: Peer


@message("k")
@dataclass(frozen=True, slots=True)
class Complaint:
    """`receiver` says that `sender`'s part did not come. A transfer concerns two peers and proves nothing
    against either, so both are charged, and `receiver` aggregates no part for a while. `sender` and
    `receiver` are one peer if the rows of its part did not come to those who were to examine them."""

    sender: Peer
    receiver: Peer


@message("R")
@dataclass(frozen=True, slots=True)
class Record:
    """How attempt `attempt` of step `step` ended.

    `participants` is the roster's digest, `phases` and `sets` name the phases that were completed
    and the digest of each agreed set of messages (all commitments, reveals, scalars, accusations and
    votes), `disputed` says that the slow path ended it, `coin` is r_t (zero if it was not reached),
    `model` the digest of the parameters after a STEP. `admissions` is empty: nobody joins a run under way.
    `took` and `late` tell how the attempt before went, as GRADIENT agreed on it.
    """

    run: DigestField
    index: StepNumber
    previous: DigestField
    step: StepNumber
    attempt: Small
    kind: Literal["step", "close", "abort"]
    disputed: bool
    participants: DigestField
    phases: Annotated[tuple[PhaseName, ...], MaxLen(8)]
    sets: Annotated[tuple[DigestField, ...], MaxLen(8)]
    coin: DigestField
    removals: Annotated[tuple[Removal, ...], MaxLen(MAX_PEERS)]
    admissions: Annotated[tuple[Admission, ...], MaxLen(MAX_PEERS)]
    complaints: Annotated[tuple[Complaint, ...], MaxLen(MAX_PEERS * MAX_PEERS)]
    took: Annotated[tuple[Millis, ...], MaxLen(8)]
    late: Annotated[tuple[Late, ...], MaxLen(MAX_PEERS)]
    model: DigestField

    @property
    def digest(self) -> Digest:
        """What peers sign and the next record chains to."""
        return digest("record", encode(self))


@dataclass(frozen=True, slots=True)
class Entry:
    """What a ledger holds: a record, the messages that it follows from, the signatures that certify it."""

    record: Record
    transcript: tuple[bytes, ...]
    certificate: tuple[bytes, ...]
