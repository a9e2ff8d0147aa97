"""The messages of all phases, and their bounds.

Every payload of a phase begins with `previous_set`: the digest of the agreed set of messages of the phase
before it, in the first phase the head of the ledger (`broadcast.py`).

Peers are named by *seat*: their index in the sorted tuple of the attempt's participants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from btard.wire import MAX_PEERS, MaxLen, MaxSize, Range, Size, message

DigestField = Annotated[bytes, Size(32)]
Secret = Annotated[bytes, Size(32)]
Signature = Annotated[bytes, Size(64)]
Seat = Annotated[int, Range(0, MAX_PEERS - 1)]
StepNumber = Annotated[int, Range(0, 2**40)]
Small = Annotated[int, Range(0, 2**16)]
DisputeNumber = Annotated[int, Range(0, 2**32 - 1)]
PhaseName = Annotated[str, MaxLen(16)]
Seats = Annotated[tuple[Seat, ...], MaxLen(MAX_PEERS)]

GRADIENT: Final = "gradient"
AGGREGATE: Final = "aggregate"
REVEAL: Final = "reveal"
SCALARS: Final = "scalars"
ACCUSE: Final = "accuse"
VERDICT: Final = "verdict"
RECORD: Final = "record"
Phase: TypeAlias = Literal["gradient", "aggregate", "reveal", "scalars", "accuse", "verdict", "record"]
Completed: TypeAlias = Phase | Literal[""]
"""The last phase that is complete; "" before the first."""
PHASES: tuple[Phase, ...] = (GRADIENT, AGGREGATE, REVEAL, SCALARS, ACCUSE, VERDICT, RECORD)
"""In order. VERDICT follows only an accusation; RECORD ends every attempt."""

CALL = "call"
VIEW = "view"
ENDORSE = "endorse"

MILLIS_MAX = 2**24
Millis = Annotated[int, Range(0, MILLIS_MAX)]


@message("t")
@dataclass(frozen=True, slots=True)
class Late:
    """A peer was late by so many milliseconds (`pace.py`)."""

    peer: DigestField
    millis: Millis


@message("g")
@dataclass(frozen=True, slots=True)
class GradientCommitment:
    """Hashes of all parts of the gradient, and the commitment to this peer's share of the coin.

    If the previous record needed a dispute, `silent` lists the peers that did not vote in it and `equivocal`
    those that signed two messages for one slot. A peer listed by a majority is removed before any tensor is
    sent. `took` and `late` tell how the attempt before went (`pace.py`); empty at first."""

    previous_set: DigestField
    parts: Annotated[tuple[DigestField, ...], MaxLen(MAX_PEERS)]
    coin: DigestField
    silent: Annotated[tuple[DigestField, ...], MaxLen(MAX_PEERS)]
    equivocal: Annotated[tuple[DigestField, ...], MaxLen(MAX_PEERS)]
    took: Annotated[tuple[Millis, ...], MaxLen(8)] = ()
    late: Annotated[tuple[Late, ...], MaxLen(MAX_PEERS)] = ()


@message("a")
@dataclass(frozen=True, slots=True)
class AggregateCommitment:
    """Hash of the aggregate of this peer's part; or, with `missing`, the seats whose part of the
    gradient did not arrive, or is invalid (not finite, or of a wrong size); then `aggregate` is zero.
    A peer that aggregates no part says nothing: zero, and nobody missing."""

    previous_set: DigestField
    aggregate: DigestField
    missing: Seats


@message("r")
@dataclass(frozen=True, slots=True)
class CoinReveal:
    """This peer's share of the coin, opened; and the parts whose aggregate it holds."""

    previous_set: DigestField
    share: Secret
    salt: Secret
    available: Seats


@message("n")
@dataclass(frozen=True, slots=True)
class PartScalars:
    """`types.Scalars` on the wire: of one part, or of a whole gradient."""

    projections: Annotated[tuple[float, ...], MaxLen(64)]
    norm: float
    center: float
    row: float


@message("s")
@dataclass(frozen=True, slots=True)
class PublishedScalars:
    """Scalars of this peer's gradient in every part; and, for the validator and the target of a pair,
    the commitment to the fingerprint of the target's last gradient on this step's coin."""

    previous_set: DigestField
    parts: Annotated[tuple[PartScalars, ...], MaxLen(MAX_PEERS)]
    fingerprint: DigestField


@message("c")
@dataclass(frozen=True, slots=True)
class Accusation:
    """`row`: the target's scalars of `part` are wrong; the accuser aggregates or examines that part.
    `gradient`: the scalars that the target published in the step before are not those of the gradient that it
    owed; `part` is 0."""

    kind: Annotated[str, MaxLen(8)]
    target: Seat
    part: Seat


@message("u")
@dataclass(frozen=True, slots=True)
class Accusations:
    """This peer's accusations (usually none), the opening of its fingerprint, if it owes one, and the parts
    that it should examine and whose rows did not all come."""

    previous_set: DigestField
    accusations: Annotated[tuple[Accusation, ...], MaxLen(MAX_PEERS + 1)]
    fingerprint: PartScalars | None
    salt: Secret
    unavailable: Seats


@message("o")
@dataclass(frozen=True, slots=True)
class Vote:
    """One vote on a case: the guilty seats, and the seats that withheld evidence."""

    guilty: Seats
    unavailable: Seats


@message("v")
@dataclass(frozen=True, slots=True)
class Verdicts:
    """One vote a case, in the order of the cases that the agreed accusations define."""

    previous_set: DigestField
    votes: Annotated[tuple[Vote, ...], MaxLen(MAX_PEERS * (MAX_PEERS + 2))]


@message("d")
@dataclass(frozen=True, slots=True)
class RecordVote:
    """The digest of the ledger record that ends this attempt."""

    previous_set: DigestField
    record: DigestField


Payload: TypeAlias = (
    GradientCommitment
    | AggregateCommitment
    | CoinReveal
    | PublishedScalars
    | Accusations
    | Verdicts
    | RecordVote
)
"""What a peer signs in a phase."""

PAYLOADS: dict[str, type[Payload]] = {
    GRADIENT: GradientCommitment,
    AGGREGATE: AggregateCommitment,
    REVEAL: CoinReveal,
    SCALARS: PublishedScalars,
    ACCUSE: Accusations,
    VERDICT: Verdicts,
    RECORD: RecordVote,
}

SLOT_FLOOR = 4096
"""Every slot accepts at least so many bytes. Garbage up to this size is taken as the author's message, so it
costs the author its seat."""


def size_max(phase: str, members: int, directions: int) -> int:
    """Return the upper bound on an honest sealed message of a phase; longer messages are not stored.

    Views are built from stored messages, so without this bound a few oversized ones could fill a view."""
    n, scalars = members, 9 * directions + 33
    payload = {
        GRADIENT: 4 * 42 * n,
        AGGREGATE: 3 * n,
        REVEAL: 3 * n,
        SCALARS: n * scalars,
        ACCUSE: 22 * n + scalars,
        VERDICT: 8 * n * (n + 2) + 3 * n * n,
        RECORD: 0,
    }
    return payload[phase] + SLOT_FLOOR


# ---------------------------------------------------------------- the slow path

MAX_VIEW_BYTES = 2 * 2**20
RawMessage = Annotated[bytes, MaxSize(2**19)]


def view_bytes_max(members: int, directions: int) -> int:
    """Return the upper bound on a sealed view: messages of two phases, and one pair of evidence."""
    longest = max(size_max(phase, members, directions) for phase in PHASES)
    return min(MAX_VIEW_BYTES, 1024 + (2 * members + 2) * (longest + 5))


@message("l")
@dataclass(frozen=True, slots=True)
class Call:
    """This peer's hard deadline of `phase` has passed: it calls for dispute number `dispute`."""

    dispute: DisputeNumber
    phase: PhaseName


@message("w")
@dataclass(frozen=True, slots=True)
class View:
    """What a peer knows of an attempt when it falls into dispute number `dispute`: the phases that it
    completed, the messages that it holds of the last of them and of the phase after it, and one pair of
    messages that prove an equivocation, if it holds any."""

    dispute: DisputeNumber
    trail: Annotated[tuple[PhaseName, ...], MaxLen(8)]
    messages: Annotated[tuple[RawMessage, ...], MaxLen(2 * MAX_PEERS + 2)]


@message("e")
@dataclass(frozen=True, slots=True)
class Endorse:
    """The record that a dispute ended in, signed by whoever reached it."""

    record: Annotated[bytes, MaxSize(2**17)]


@message("W")
@dataclass(frozen=True, slots=True)
class ViewRelay:
    """A sealed view on its way through Dolev-Strong: `signatures[k]` is seat `signers[k]`'s over it."""

    step: StepNumber
    attempt: Small
    dispute: DisputeNumber
    view: Annotated[bytes, MaxSize(MAX_VIEW_BYTES)]
    signers: Seats
    signatures: Annotated[tuple[Signature, ...], MaxLen(MAX_PEERS)]


@message("N")
@dataclass(frozen=True, slots=True)
class Need:
    """Please forward the messages of these seats in this phase."""

    step: StepNumber
    attempt: Small
    phase: PhaseName
    seats: Seats


@message("B")
@dataclass(frozen=True, slots=True)
class Want:
    """Please push these blobs."""

    step: StepNumber
    attempt: Small
    digests: Annotated[tuple[DigestField, ...], MaxLen(MAX_PEERS)]


REQUESTS = (ViewRelay, Need, Want)
