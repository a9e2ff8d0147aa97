"""An attempt written out by hand: the payloads of honest peers in every phase, to be changed by a test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from btard.crypto import Identity, digest
from btard.protocol import mprng
from btard.protocol.accusation import fingerprint_commitment
from btard.protocol.broadcast import Board, Post
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import (
    ACCUSE,
    AGGREGATE,
    GRADIENT,
    RECORD,
    RELAY,
    REVEAL,
    SCALARS,
    VERDICT,
    Accusations,
    AggregateCommitment,
    CoinReveal,
    GradientCommitment,
    PartScalars,
    PublishedScalars,
    RecordVote,
    RelayVotes,
    Verdicts,
)
from btard.protocol.rules import Seating
from btard.protocol.state import RosterState, roster_digest
from btard.types import PeerId
from btard.wire import Envelope, Sealed, encode, open_sealed, seal

N = 5
CONFIG = ProtocolConfig(tau=1.0, delta_max=5.0, validators=1, directions=2, delta_s=1.0, phase_s=10.0)
KEYS = sorted((Identity.from_seed(bytes([k + 1]) * 32) for k in range(N)), key=lambda key: key.peer)
PEERS = tuple(key.peer for key in KEYS)
NONE = bytes(32)
ZERO = PartScalars((0.0, 0.0), 0.5, 1.0)
FINGERPRINT = PartScalars((1.0, -1.0), 2.0, 0.0)
VALIDATOR, TARGET = 1, 3


def attempt(**changes: Any) -> Seating:
    """The attempt of five peers in which seat 1 validates seat 3."""
    state = RosterState.genesis(digest("run"), CONFIG, PEERS)
    return Seating(replace(state, pairs=((PEERS[VALIDATOR], PEERS[TARGET]),), **changes))


def part(i: int, j: int) -> bytes:
    """The digest of peer i's part j."""
    return digest("blob", bytes([i, j]))


def said(phase: str, seat: int) -> Any:
    """What the honest peer in this seat says."""
    share, salt = mprng.share(KEYS[seat].seed, 0, 0)
    paired = seat in (VALIDATOR, TARGET)
    if phase == GRADIENT:
        promise = mprng.share_commitment(PEERS[seat], share, salt)
        return GradientCommitment(NONE, tuple(part(seat, j) for j in range(N)), promise, (), ())
    if phase == AGGREGATE:
        return AggregateCommitment(NONE, digest("blob", b"aggregate", bytes([seat])), ())
    if phase == RELAY:
        return RelayVotes(NONE, ())
    if phase == REVEAL:
        return CoinReveal(NONE, share, salt, tuple(range(N)))
    if phase == SCALARS:
        promise = fingerprint_commitment(PEERS[seat], FINGERPRINT, salt)
        return PublishedScalars(NONE, (ZERO,) * N, promise if paired else NONE)
    if phase == ACCUSE:
        return Accusations(NONE, (), FINGERPRINT if paired else None, salt)
    if phase == VERDICT:
        return Verdicts(NONE, ())
    assert phase == RECORD
    return RecordVote(NONE, NONE)


def sets(**changes: dict[int, Any]) -> dict[str, tuple[Any, ...]]:
    """The payloads of all phases by seat. `reveal={2: {"share": x}}` changes a field of what seat 2 says;
    a value that is no dictionary of fields takes the payload's place."""
    table: dict[str, tuple[Any, ...]] = {}
    for phase in (GRADIENT, AGGREGATE, RELAY, REVEAL, SCALARS, ACCUSE, VERDICT):
        row = [said(phase, seat) for seat in range(N)]
        for seat, change in changes.get(phase, {}).items():
            row[seat] = replace(row[seat], **change) if isinstance(change, dict) else change
        table[phase] = tuple(row)
    return table


def sealed(
    seat: int,
    phase: str,
    payload: Any,
    where: Seating | None = None,
    participants: tuple[PeerId, ...] = PEERS,
) -> Sealed:
    """A payload, or raw bytes, under the seat's signature."""
    state = (where or attempt()).state
    raw = payload if isinstance(payload, bytes) else encode(payload)
    place = (state.run, state.step, state.attempt, phase, roster_digest(participants), PEERS[seat])
    opened = open_sealed(seal(KEYS[seat], Envelope(*place, raw)))
    assert isinstance(opened, Sealed)
    return opened


def post(seat: int, phase: str, payload: Any) -> Post:
    """The same as a post of the attempt."""
    read = Board(attempt()).read(sealed(seat, phase, payload))
    assert isinstance(read, Post)
    return read
