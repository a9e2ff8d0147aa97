"""What a peer asks all others for in one attempt: messages that are missing at a deadline, and those that a
flood holds up, at once."""

from __future__ import annotations

from collections.abc import Sequence

from btard.machine import Actions, Send
from btard.protocol.broadcast import Board
from btard.protocol.messages import Need, Phase
from btard.types import Digest, PeerId
from btard.wire import encode


class Asking:
    """Makes the requests for messages that `board` lacks. `others` are asked."""

    def __init__(self, board: Board, others: tuple[PeerId, ...]) -> None:
        self._board = board
        self._others = others
        self._held_up: set[int] = set()

    def at_deadline(self, phase: Phase, trail: Sequence[tuple[Phase, Digest]]) -> Actions:
        """Ask for what is missing."""
        return Actions([self._need(phase, seats) for phase, seats in self._board.needs(phase, trail)])

    def entering(self, phase: Phase) -> Actions:
        """Ask for what those say in this phase whose messages are held up."""
        missing = tuple(seat for seat in self._board.missing(phase) if seat in self._held_up)
        return Actions([self._need(phase, missing)] if missing else [])

    def hold_up(self, sender: PeerId, phase: Phase) -> Actions:
        """Take note that the messages of `sender` are held up: from now on the others are asked for them,
        which send them on as soon as they have them."""
        seat = self._board.seat_of.get(sender)
        if seat is None or seat in self._held_up:
            return Actions()
        self._held_up.add(seat)
        return Actions([self._need(phase, (seat,))] if seat in self._board.missing(phase) else [])

    def _need(self, phase: Phase, seats: tuple[int, ...]) -> Send:
        state = self._board.state
        return Send(self._others, encode(Need(state.step, state.attempt, phase, seats)))
