"""The votes for this peer's record of an attempt."""

from __future__ import annotations

from btard.protocol.broadcast import Board, Post
from btard.protocol.messages import RECORD, RecordVote
from btard.wire import Claim, encode


class Ballots:
    """The messages of RECORD that vote as this peer does. A vote for its record counts even if its author
    also voted for another one, before or after. `board` holds the first vote of each; of an author it lets
    two through, and one more once this peer's record is made (`lacks`)."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._votes: dict[tuple[int, RecordVote], Post] = {}

    def take(self, post: Post) -> None:
        """Take a message of the attempt, of any phase."""
        if isinstance(post.payload, RecordVote):
            self._votes.setdefault((post.seat, post.payload), post)

    def lacks(self, claim: Claim, mine: RecordVote | None) -> bool:
        """Return whether a message that claims this would be a vote as this peer's that is not here yet."""
        said = claim.envelope
        if mine is None or said.phase != RECORD or said.payload != encode(mine):
            return False
        return (self._board.seat_of[said.sender], mine) not in self._votes

    def unanimous(self, mine: RecordVote | None) -> tuple[bytes, ...] | None:
        """Return the bytes of everybody's vote as this peer's, None while one is lacking.

        This ends the attempt even during a dispute: a peer that has seen all votes has moved on and will not
        join the dispute, which would find it silent and, with Byzantine help, could decide against it."""
        if mine is None:
            return None
        first = self._board.posts[RECORD]
        votes = [self._votes.get((seat, mine)) or first.get(seat) for seat in range(len(self._board.seat_of))]
        found = tuple(vote.sealed.raw for vote in votes if vote is not None and vote.payload == mine)
        return found if len(found) == len(votes) else None
