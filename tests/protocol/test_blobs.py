"""The inventory of blobs: what fits a part, what is forgotten when, and what anybody may ask for."""

from __future__ import annotations

from btard.codec import FP32
from btard.crypto import digest
from btard.protocol.agreed import Agreed
from btard.protocol.blobs import Blobs, owed
from btard.protocol.messages import ACCUSE, AGGREGATE, GRADIENT, Accusation
from btard.protocol.record import NOTHING
from btard.types import Digest
from tests.protocol.script import PEERS, N, attempt, part, sets

DIMENSION = 13
"""In five parts: three of three numbers, two of two."""

A, B = digest("blob", b"a"), digest("blob", b"b")


def inventory() -> Blobs:
    return Blobs(DIMENSION, FP32)


def test_a_blob_fits_the_parts_of_exactly_its_size() -> None:
    blobs = inventory()
    blobs.hold(A, 12, True)
    blobs.hold(B, 8, True)
    assert [blobs.fits(A, each, N) for each in range(N)] == [True, True, True, False, False]
    assert [blobs.fits(B, each, N) for each in range(N)] == [False, False, False, True, True]
    for size_bytes in (0, 4, 11, 13, 16, 52):
        blobs.hold(A, size_bytes, True)
        assert not blobs.fits(A, 0, N)


def test_a_blob_that_is_not_valid_is_known_and_neither_held_nor_of_any_size() -> None:
    blobs = inventory()
    blobs.hold(A, 12, False)
    assert blobs.knows(A)
    assert not blobs.holds(A)
    assert not blobs.fits(A, 0, N)
    assert blobs.names() == ()


def test_a_step_leaves_its_aggregates_and_an_attempt_the_gradient_as_well() -> None:
    blobs = inventory()
    past = tuple(digest("blob", bytes([k])) for k in range(N))
    mine = tuple(part(0, k) for k in range(N))
    blobs.hold(A, 12, True)
    blobs.begin_step(past)
    assert set(blobs.names()) == set(past)
    blobs.hold_gradient(mine)
    blobs.hold(B, 8, True)
    assert set(blobs.begin_attempt(N)) == {*past, *mine}
    assert set(blobs.begin_attempt(N - 1)) == set(past), "in other parts it is to be cut anew"


def agreed(**changes: dict[int, dict[str, object]]) -> Agreed:
    made = Agreed(attempt())
    said = sets(**changes)
    for phase in (GRADIENT, AGGREGATE, ACCUSE):
        made = made.after(phase, digest("set", phase.encode()), said[phase])
    return made


def test_only_aggregates_and_disputed_rows_are_owed_to_anybody() -> None:
    aggregates = {Digest(said.aggregate) for said in sets()[AGGREGATE]}
    assert owed(agreed()) == aggregates
    case = {1: {"accusations": (Accusation("row", 3, 1),)}}
    assert owed(agreed(accuse=case)) == {*aggregates, part(3, 1)}
    validation = {1: {"accusations": (Accusation("gradient", 3, 0),)}}
    assert owed(agreed(accuse=validation)) == aggregates


def test_rows_of_a_public_part_are_owed_to_anybody() -> None:
    public = attempt(complaints=tuple((PEERS[0], peer, 0) for peer in PEERS))
    said = sets()[GRADIENT]
    assert owed(Agreed(public).after(GRADIENT, NOTHING, said)) == {part(seat, 0) for seat in range(N)}
    assert owed(Agreed(attempt()).after(GRADIENT, NOTHING, said)) == set()
