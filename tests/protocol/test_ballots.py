"""Votes for a peer's record, from authors that also vote otherwise."""

from __future__ import annotations

from itertools import permutations

import pytest

from btard.crypto import digest
from btard.protocol.ballots import Ballots
from btard.protocol.broadcast import Board, Post
from btard.protocol.messages import RECORD, RecordVote
from btard.wire import Claim, read_claim
from tests.protocol.script import NONE, N, attempt, sealed

MINE, OTHER, THIRD = (RecordVote(NONE, digest("record", name)) for name in (b"mine", b"other", b"third"))


class Booth:
    """What a peer does with votes, as an attempt does it: only what is lacking is read."""

    def __init__(self) -> None:
        self.board = Board(attempt())
        self.ballots = Ballots(self.board)
        self.mine: RecordVote | None = None

    def come(self, seat: int, vote: RecordVote) -> None:
        message = sealed(seat, RECORD, vote)
        claim = read_claim(message.raw)
        assert isinstance(claim, Claim)
        if not self.board.lacks(claim, len(message.raw)) and not self.ballots.lacks(claim, self.mine):
            return
        post = self.board.read(message)
        assert isinstance(post, Post)
        self.ballots.take(post)
        self.board.add(post)

    def found(self) -> tuple[bytes, ...] | None:
        return self.ballots.unanimous(self.mine)


def raws(vote: RecordVote) -> tuple[bytes, ...]:
    return tuple(sealed(seat, RECORD, vote).raw for seat in range(N))


@pytest.mark.parametrize("made", [0, 1, 2], ids=["before both", "between", "after both"])
@pytest.mark.parametrize("votes", list(permutations([MINE, OTHER])), ids=["mine first", "other first"])
def test_a_vote_counts_whatever_else_its_author_voted_for_and_whenever_the_record_is_made(
    votes: tuple[RecordVote, ...], made: int
) -> None:
    booth = Booth()
    for number, vote in enumerate((*votes, None)):
        if number == made:
            booth.mine = MINE
        if vote is not None:
            booth.come(0, vote)
    assert booth.found() is None, "the others have not voted"
    for seat in range(1, N):
        booth.come(seat, MINE)
    assert booth.found() == raws(MINE)


def test_of_three_votes_the_third_counts_once_this_peer_has_made_its_record() -> None:
    booth = Booth()
    for seat in range(1, N):
        booth.come(seat, MINE)
    for vote in (OTHER, THIRD, MINE):
        booth.come(0, vote)
    booth.mine = MINE
    assert booth.found() is None
    booth.come(0, MINE)
    assert booth.found() == raws(MINE)


def test_without_a_record_there_is_nothing_to_be_unanimous_about() -> None:
    booth = Booth()
    for seat in range(N):
        booth.come(seat, MINE)
    assert booth.found() is None
