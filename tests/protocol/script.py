"""An attempt written out by hand: the payloads of honest peers in every phase, to be changed by a test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from btard.crypto import Identity, digest
from btard.protocol import messages, mprng
from btard.protocol.accusation import fingerprint_commitment
from btard.protocol.broadcast import Board, Post, sign
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import ACCUSE, AGGREGATE, GRADIENT, RECORD, REVEAL, SCALARS, VERDICT
from btard.protocol.rules import Seating
from btard.protocol.state import RosterState
from btard.wire import Sealed, encode

N = 5
CONFIG = ProtocolConfig(tau=1.0, delta_max=5.0, validators=1, directions=2, delta_s=1.0, phase_s=10.0)
KEYS = sorted((Identity.from_seed(bytes([k + 1]) * 32) for k in range(N)), key=lambda key: key.peer)
PEERS = tuple(key.peer for key in KEYS)
STEPS = 100
NONE = bytes(32)
ZERO = messages.PartScalars((0.0, 0.0), 0.5, 1.0, 1.0)
FINGERPRINT = messages.PartScalars((1.0, -1.0), 2.0, 0.0, 0.0)
VALIDATOR, TARGET = 1, 3


def attempt(**changes: Any) -> Seating:
    """The attempt of five peers in which seat 1 validates seat 3."""
    state = RosterState.genesis(digest("run"), CONFIG, PEERS, STEPS)
    return Seating(replace(state, pairs=((PEERS[VALIDATOR], PEERS[TARGET]),), **changes))


def part(i: int, j: int) -> bytes:
    """The digest of peer i's part j."""
    return digest("blob", bytes([i, j]))


def said(phase: str, seat: int) -> Any:
    """What the honest peer in this seat says."""
    share, salt = mprng.share(KEYS[seat].seed, bytes(44))
    paired = seat in (VALIDATOR, TARGET)
    promise = mprng.share_commitment(PEERS[seat], share, salt)
    opened = fingerprint_commitment(PEERS[seat], FINGERPRINT, salt) if paired else NONE
    return {
        GRADIENT: messages.GradientCommitment(NONE, tuple(part(seat, j) for j in range(N)), promise, (), ()),
        AGGREGATE: messages.AggregateCommitment(NONE, digest("blob", b"aggregate", bytes([seat])), ()),
        REVEAL: messages.CoinReveal(NONE, share, salt, tuple(range(N))),
        SCALARS: messages.PublishedScalars(NONE, (ZERO,) * N, opened),
        ACCUSE: messages.Accusations(NONE, (), FINGERPRINT if paired else None, salt, ()),
        VERDICT: messages.Verdicts(NONE, ()),
        RECORD: messages.RecordVote(NONE, NONE),
    }[phase]


def sets(**changes: dict[int, Any]) -> dict[str, tuple[Any, ...]]:
    """The payloads of all phases by seat. `reveal={2: {"share": x}}` changes a field of what seat 2 says;
    a value that is no dictionary of fields takes the payload's place."""
    table: dict[str, tuple[Any, ...]] = {}
    for phase in (GRADIENT, AGGREGATE, REVEAL, SCALARS, ACCUSE, VERDICT):
        row = [said(phase, seat) for seat in range(N)]
        for seat, change in changes.get(phase, {}).items():
            row[seat] = replace(row[seat], **change) if isinstance(change, dict) else change
        table[phase] = tuple(row)
    return table


def sealed(seat: int, phase: str, payload: Any, **changes: Any) -> Sealed:
    """A payload, or raw bytes, under the seat's signature; `changes` are of the state of the attempt."""
    raw = payload if isinstance(payload, bytes) else encode(payload)
    return sign(KEYS[seat], attempt(**changes), phase, raw)


def post(seat: int, phase: str, payload: Any) -> Post:
    """The same as a post of the attempt."""
    read = Board(attempt()).read(sealed(seat, phase, payload))
    assert isinstance(read, Post)
    return read
