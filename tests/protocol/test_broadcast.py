"""One signed message a peer and phase: what gets a slot, what is evidence, what a set's digest says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from btard.crypto import Identity, digest
from btard.protocol.broadcast import Board, Post, audience, sign
from btard.protocol.messages import AGGREGATE, GRADIENT, PHASES, RECORD, size_max
from btard.types import FaultKind, PeerId
from btard.wire import Rejection, Sealed, open_sealed
from tests.protocol.script import CONFIG, PEERS, N, attempt, post, said, sealed


def full(phase: str = GRADIENT) -> Board:
    board = Board(attempt())
    for seat in range(N):
        assert board.add(post(seat, phase, said(phase, seat)))
    return board


def other(seat: int, phase: str = GRADIENT, words: bytes = b"x") -> Post:
    return post(seat, phase, words)


def test_a_phase_is_full_when_every_seat_has_spoken() -> None:
    board = Board(attempt())
    for seat in (4, 0, 2):
        board.add(post(seat, GRADIENT, said(GRADIENT, seat)))
    assert board.missing(GRADIENT) == (1, 3)
    assert not board.is_full(GRADIENT)
    assert full().is_full(GRADIENT)
    assert full().payloads(GRADIENT) == tuple(said(GRADIENT, seat) for seat in range(N))


def test_the_digest_of_a_set_names_what_each_seat_said() -> None:
    changed = Board(attempt())
    for seat in range(N):
        changed.add(other(seat) if seat == 2 else post(seat, GRADIENT, said(GRADIENT, seat)))
    assert full().digest(GRADIENT) == full().digest(GRADIENT) != changed.digest(GRADIENT)


def test_a_second_message_in_a_slot_is_kept_as_evidence_and_a_third_is_not() -> None:
    board = full()
    assert not board.add(post(2, GRADIENT, said(GRADIENT, 2)))
    assert not board.conflicts
    assert not board.add(other(2))
    assert not board.add(other(2, words=b"y"))
    assert board.evidence() == (post(2, GRADIENT, said(GRADIENT, 2)).sealed.raw, other(2).sealed.raw)
    assert len(board.all_posts()) == N + 1


def test_another_signature_of_the_same_words_is_no_second_message() -> None:
    board = full()
    same = replace(post(2, GRADIENT, said(GRADIENT, 2)).sealed, raw=b"other bytes, one body")
    assert not board.add(Post(2, same, said(GRADIENT, 2)))
    assert not board.conflicts


def test_messages_agree_when_all_hold_the_same_set_before_them() -> None:
    board = full()
    assert board.agrees(GRADIENT, bytes(32))
    assert not board.agrees(GRADIENT, digest("another set"))


def test_words_that_do_not_decode_take_a_slot_and_hold_nothing() -> None:
    board = full()
    board.replace(GRADIENT, [other(2), *(post(s, GRADIENT, said(GRADIENT, s)) for s in (0, 1, 3, 4))])
    assert board.payloads(GRADIENT)[2] is None
    assert board.agrees(GRADIENT, bytes(32))


@pytest.mark.parametrize(
    ("phase", "changes", "reason"),
    [
        (RECORD, {"run": bytes(32)}, FaultKind.WRONG_RUN),
        (RECORD, {"step": 1}, FaultKind.OUT_OF_BOUNDS),
        (RECORD, {"attempt": 1}, FaultKind.OUT_OF_BOUNDS),
        ("view", {}, FaultKind.OUT_OF_BOUNDS),
        ("lunch", {}, FaultKind.OUT_OF_BOUNDS),
        (RECORD, {"excluded": PEERS[4:]}, FaultKind.WRONG_ROSTER),
    ],
)
def test_a_message_of_another_place_gets_no_slot(
    phase: str, changes: dict[str, Any], reason: FaultKind
) -> None:
    read = Board(attempt()).read(sealed(0, phase, b"x", **changes))
    assert isinstance(read, Rejection)
    assert read.reason == reason


def test_whoever_takes_no_part_gets_no_slot() -> None:
    read = Board(attempt()).read(sign(Identity.from_seed(b"\xff" * 32), attempt(), RECORD, b"x"))
    assert isinstance(read, Rejection)
    assert read.reason == FaultKind.NOT_A_MEMBER


@pytest.mark.parametrize("phase", PHASES)
def test_more_bytes_than_an_honest_message_needs_get_no_slot(phase: str) -> None:
    largest = size_max(phase, N, CONFIG.directions)
    overhead = len(sealed(0, phase, bytes(largest)).raw) - largest
    board = Board(attempt())
    assert isinstance(board.read(sealed(0, phase, bytes(largest - overhead))), Post)
    read = board.read(sealed(0, phase, bytes(largest - overhead + 1)))
    assert isinstance(read, Rejection)
    assert read.reason == FaultKind.OVERSIZE


def test_everybody_else_of_the_roster_is_spoken_to() -> None:
    assert audience(PEERS, PEERS[1]) == (PEERS[0], *PEERS[2:])
    assert audience(PEERS, PeerId(bytes(32))) == PEERS


def test_the_bytes_of_phases_come_in_seat_order() -> None:
    board = full()
    board.add(post(3, AGGREGATE, said(AGGREGATE, 3)))
    board.add(post(1, AGGREGATE, said(AGGREGATE, 1)))
    authors = [open_sealed(raw) for raw in board.raws([GRADIENT, AGGREGATE])]
    seats = [board.seat_of[a.envelope.sender] for a in authors if isinstance(a, Sealed)]
    assert seats == [0, 1, 2, 3, 4, 1, 3]
