"""What a peer asks all others for in one attempt: messages that are missing at a deadline; and at once those
of peers whose messages come round others, because a link is broken, or are held up by a flood."""

from __future__ import annotations

from collections.abc import Sequence

from btard.machine import Actions, Send
from btard.protocol.broadcast import Board
from btard.protocol.messages import Need, Phase
from btard.types import Digest, PeerId
from btard.wire import encode


class Asking:
    """Makes the requests for messages that `board` lacks. `others` are asked. `held_up` are the peers that
    others are asked for at once; it outlives the attempt."""

    def __init__(self, board: Board, others: tuple[PeerId, ...], held_up: set[PeerId]) -> None:
        self._board = board
        self._others = others
        self._held_up = held_up
        self._asked: set[tuple[str, int]] = set()

    def at_deadline(self, phase: Phase, trail: Sequence[tuple[Phase, Digest]]) -> Actions:
        """Ask for what is missing."""
        out = Actions()
        for asked, seats in self._board.needs(phase, trail):
            self._asked.update((asked, seat) for seat in seats)
            out.messages.append(self._need(asked, seats))
        return out

    def came(self, author: PeerId, phase: str, sender: PeerId) -> None:
        """Take note of a message. If it was asked for and comes round, its author's next ones will, too."""
        if sender != author and (phase, self._board.seat_of[author]) in self._asked:
            self._held_up.add(author)

    def entering(self, phase: Phase) -> Actions:
        """Ask for what those say in this phase whose messages are held up."""
        peers = self._board.state.participants
        missing = tuple(seat for seat in self._board.missing(phase) if peers[seat] in self._held_up)
        return Actions([self._need(phase, missing)] if missing else [])

    def hold_up(self, sender: PeerId, phase: Phase) -> Actions:
        """Take note that the messages of `sender` are held up: from now on the others are asked for them,
        which send them on as soon as they have them."""
        seat = self._board.seat_of.get(sender)
        if seat is None or sender in self._held_up:
            return Actions()
        self._held_up.add(sender)
        return Actions([self._need(phase, (seat,))] if seat in self._board.missing(phase) else [])

    def _need(self, phase: Phase, seats: tuple[int, ...]) -> Send:
        state = self._board.state
        return Send(self._others, encode(Need(state.step, state.attempt, phase, seats)))
