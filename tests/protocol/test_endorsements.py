"""Endorsements of a removal: how many bind, what counts as one, and how often one is sent."""

from __future__ import annotations

from typing import Any

import pytest

from btard.machine import Actions
from btard.protocol.agreed import Agreed, Seating
from btard.protocol.broadcast import Board
from btard.protocol.messages import ENDORSE, VERDICT, Endorse
from btard.protocol.record import ABORT, MISS, NOTHING, Cause, Record, Removal
from btard.protocol.rules import Ending, make_record
from btard.protocol.slow_path import REPEATS_MAX, Conclusion, SlowPath
from btard.types import Digest
from btard.wire import Sealed, encode
from tests.protocol.script import CONFIG, KEYS, PEERS, attempt, sealed

ME = 0


def removal(seating: Seating, victim: int = 3) -> Record:
    """The record of an attempt that removes one peer in a dispute."""
    out = Ending(ABORT, (Removal(PEERS[victim], MISS, Cause.SILENT_IN_VERDICT),))
    return make_record(seating, out, (), NOTHING, NOTHING, disputed=True)


def endorsement(seat: int, record: Record, phase: str = ENDORSE, **changes: Any) -> Sealed:
    return sealed(seat, phase, Endorse(encode(record)), **changes)


class Endorsing:
    """The slow path of seat 0, in an attempt of five peers without the excluded ones."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes
        self.seating = attempt(**changes)
        self.record = removal(self.seating)
        self.path = SlowPath(KEYS[ME], self.seating, Board(self.seating), ())

    def hear(self, *seats: int, record: Record | None = None) -> list[bool]:
        """Take endorsements in order; return which of them ended the attempt."""
        chosen = record or self.record
        ends = [self.path.endorsed(endorsement(seat, chosen, **self.changes)) for seat in seats]
        return [isinstance(end, Conclusion) for end in ends]


def test_more_than_half_of_the_participants_bind_and_their_signatures_are_the_certificate() -> None:
    peer = Endorsing()
    assert peer.hear(1, 2) == [False, False]
    end = peer.path.endorsed(endorsement(4, peer.record))
    assert isinstance(end, Conclusion)
    assert end.entry.record == peer.record
    assert end.entry.certificate == tuple(endorsement(seat, peer.record).raw for seat in (1, 2, 4))


def test_half_of_an_even_number_of_participants_bind_nobody() -> None:
    peer = Endorsing(excluded=PEERS[4:])
    assert peer.hear(1, 2) == [False, False]
    assert peer.hear(0) == [True]


def test_one_author_counts_once() -> None:
    assert Endorsing().hear(1, 1, 1, 2, 2) == [False] * 5


def test_endorsements_of_different_records_are_not_added_up() -> None:
    peer = Endorsing()
    assert peer.hear(1, 2) == [False, False]
    assert peer.hear(3, 4, record=removal(peer.seating, victim=2)) == [False, False]


@pytest.mark.parametrize(
    ("phase", "changes"),
    [
        (ENDORSE, {"step": 1}),
        (ENDORSE, {"attempt": 1}),
        (ENDORSE, {"run": Digest(bytes(32))}),
        (ENDORSE, {"excluded": PEERS[4:]}),
        (VERDICT, {}),
    ],
    ids=["another step", "another attempt", "another run", "another roster", "another phase"],
)
def test_an_endorsement_of_another_place_does_not_count(phase: str, changes: dict[str, Any]) -> None:
    peer = Endorsing()
    for seat in (1, 2, 3):
        assert peer.path.endorsed(endorsement(seat, peer.record, phase, **changes)) is None


def test_an_endorsement_of_who_takes_no_part_does_not_count() -> None:
    peer = Endorsing(excluded=PEERS[3:])
    assert peer.hear(3, 4, 1) == [False] * 3


@pytest.mark.parametrize("field", ["previous", "kind"])
def test_a_record_that_does_not_follow_binds_nobody(field: str) -> None:
    peer = Endorsing()
    if field == "previous":
        other = removal(attempt(head=Digest(bytes(32))))
    else:
        other = make_record(peer.seating, Ending("step"), (), NOTHING, NOTHING, disputed=True)
    assert peer.hear(1, 2, 3, 4, record=other) == [False] * 4


def test_bytes_that_are_no_record_bind_nobody() -> None:
    peer = Endorsing()
    for seat in (1, 2, 3, 4):
        assert peer.path.endorsed(sealed(seat, ENDORSE, b"x")) is None
        assert peer.path.endorsed(sealed(seat, ENDORSE, Endorse(b"x"))) is None


def test_an_endorsement_is_sent_again_a_few_times_while_too_few_answer() -> None:
    peer = Endorsing()
    mine = endorsement(ME, peer.record)
    assert peer.path.endorse(mine, 0.0) is None
    assert peer.path.deadline == CONFIG.phase_s
    assert peer.path.tick(Agreed(peer.seating), CONFIG.phase_s - 1)[1] == Actions()
    for k in range(1, REPEATS_MAX + 1):
        _, out = peer.path.tick(Agreed(peer.seating), k * CONFIG.phase_s)
        assert [(send.to, send.raw) for send in out.messages] == [(PEERS[1:], mine.raw)]
    assert peer.path.deadline is None
    assert peer.path.tick(Agreed(peer.seating), 99 * CONFIG.phase_s)[1] == Actions()
