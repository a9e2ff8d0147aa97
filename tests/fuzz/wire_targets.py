"""Targets of control messages: every kind alone, and sealed ones up to the board and the view."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from random import Random
from typing import Any

from btard.crypto import Identity
from btard.protocol.agreed import Seating
from btard.protocol.broadcast import Board, Post
from btard.protocol.messages import ENDORSE, PAYLOADS, REQUESTS, VIEW, Endorse, View
from btard.protocol.record import Record
from btard.protocol.view import read_view
from btard.types import FaultKind
from btard.wire import Envelope, Rejection, Sealed, decode, encode, open_sealed, seal
from tests.fuzz import material
from tests.fuzz.target import Target
from tests.fuzz.values import random_message
from tests.rig import identities


class Refusal(Exception):
    """A `Rejection`, as an exception that the runner counts by its reason."""


def told(value: Any) -> Any:
    """`value`, or its refusal, which names a fault and repeats no hostile text."""
    if isinstance(value, Rejection):
        assert isinstance(value.reason, FaultKind)
        assert value.detail.isprintable()
        assert len(value.detail) < 300
        raise Refusal(f"{value.reason} {value.detail}")
    return value


def read_message(kinds: Any, raw: bytes) -> object:
    """One message of these kinds: what is accepted encodes to the same bytes."""
    value = told(decode(kinds, raw))
    assert encode(value) == raw
    return value


def _of(name: str, kinds: Any, seeds: Any, some: tuple[type[Any], ...]) -> Target:
    def fresh(random: Random) -> bytes:
        return encode(random_message(random, random.choice(some)))

    return Target(name, seeds, partial(read_message, kinds), (Refusal,), fresh=fresh)


# ---------------------------------------------------------------- sealed ones


@cache
def _key() -> Identity:
    return identities(material.PEERS)[material.BYZANTINE]


def read_sealed(raw: bytes) -> object:
    """Bytes of a stranger that claim to be signed."""
    opened = told(open_sealed(raw))
    assert isinstance(opened, Sealed)
    assert opened.raw == raw
    return opened


def read_signed(raw: bytes) -> object:
    """A body that a member signs: for the place that it names, and for a slot of the board."""
    envelope = told(decode(Envelope, raw))
    envelope = replace(envelope, sender=_key().peer)
    opened = told(open_sealed(seal(_key(), envelope)))
    state = material.recorded("dispute").genesis
    board = Board(Seating(state))
    for where in (envelope, replace(envelope, run=state.run, step=0, attempt=0, roster=_roster())):
        opened = told(open_sealed(seal(_key(), where)))
        post = board.read(opened)
        assert where is envelope or not isinstance(post, Rejection) or _is_beyond_its_slot(post)
        if isinstance(post, Post):
            board.add(post)
            assert len(board.all_posts()) <= 2
    return opened


def _is_beyond_its_slot(rejection: Rejection) -> bool:
    return rejection.reason in (FaultKind.OVERSIZE, FaultKind.OUT_OF_BOUNDS)


@cache
def _roster() -> bytes:
    return Seating(material.recorded("dispute").genesis).place("gradient")[4]


def _bodies() -> tuple[bytes, ...]:
    opened = [open_sealed(raw) for raw in material.sealed_messages()]
    return tuple(encode(each.envelope) for each in opened if isinstance(each, Sealed))


def read_a_view(raw: bytes) -> object:
    """A view that a member signs, whatever it holds: proof or none, and its posts fit the board."""
    seating = Seating(material.recorded("dispute").genesis)
    sealed = told(open_sealed(seal(_key(), Envelope(*seating.place(VIEW), _key().peer, raw))))
    proof = read_view(seating, sealed)
    assert proof is None or len(proof.board.all_posts()) <= 2 * len(PAYLOADS) * material.PEERS
    return proof


KINDS: tuple[Target, ...] = tuple(
    _of(phase, kind, partial(material.payloads, phase), (kind,)) for phase, kind in PAYLOADS.items()
)

TARGETS: tuple[Target, ...] = (
    *KINDS,
    _of("view", View, partial(material.payloads, VIEW), (View,)),
    _of("endorse", Endorse, partial(material.payloads, ENDORSE), (Endorse,)),
    _of("request", REQUESTS, material.requests, REQUESTS),
    _of("entry record", Record, material.records, (Record,)),
    Target("sealed", material.sealed_messages, read_sealed, (Refusal,)),
    Target("signed", _bodies, read_signed, (Refusal,)),
    Target("read view", partial(material.payloads, VIEW), read_a_view, (Refusal,)),
)
