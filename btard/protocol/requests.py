"""Requests of other peers in one attempt: messages that they need, blobs that they want.

Asking is cheap, and answers are not: each is given a bounded number of times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Set

from btard.machine import Actions, PushBlob, Send
from btard.protocol.broadcast import Board
from btard.protocol.messages import PHASES, Need, Want
from btard.types import Digest, PeerId
from btard.wire import Sealed

ANSWERS_MAX = 2
"""How often one message is forwarded to one peer: early in a phase, and again after its soft deadline."""


class Requests:
    """What is asked for and not yet there. Bounded: slots of the attempt, and two blobs a seat and asker."""

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self._needs: dict[tuple[str, int], set[PeerId]] = {}
        self._answers: Counter[tuple[PeerId, str, int]] = Counter()
        self._wants: dict[Digest, set[PeerId]] = {}
        self._served: set[tuple[PeerId, Digest]] = set()

    def need(self, request: Need, sender: PeerId, board: Board) -> Actions:
        """Forward the messages that somebody lacks: now, or as soon as they come."""
        out = Actions()
        for seat in sorted(set(request.seats)) if request.phase in PHASES else ():
            post = board.posts[request.phase].get(seat)
            if self._answers[sender, request.phase, seat] >= ANSWERS_MAX or seat >= self._seats:
                continue
            if post is not None:
                self._answers[sender, request.phase, seat] += 1
                out.messages.append(Send((sender,), post.sealed.raw))
            else:
                self._needs.setdefault((request.phase, seat), set()).add(sender)
        return out

    def came(self, sealed: Sealed, seat: int, sender: PeerId) -> Actions:
        """Forward a message that has come from `sender` to those who need it."""
        phase = sealed.envelope.phase
        waiting = self._needs.pop((phase, seat), set()) - {sender}
        self._answers.update((peer, phase, seat) for peer in waiting)
        return Actions([Send(tuple(sorted(waiting)), sealed.raw)] if waiting else [])

    def want(self, request: Want, sender: PeerId) -> None:
        """Note the blobs that somebody lacks. Each is served once an attempt: otherwise asking would be a
        cheap way to use up a peer's upload."""
        room = 2 * self._seats - sum(sender in who for who in self._wants.values())
        new = dict.fromkeys(Digest(d) for d in request.digests if (sender, d) not in self._served)
        for name in list(new)[: max(0, room)]:
            self._wants.setdefault(name, set()).add(sender)

    def serve(self, holds: Callable[[Digest], bool], owed: Callable[[PeerId], Set[Digest]]) -> Actions:
        """Push the wanted blobs that are held and owed; some are wanted before this peer knows that."""
        out = Actions()
        if not self._wants:
            return out
        due = {peer: owed(peer) for peer in set().union(*self._wants.values())}
        for name in [name for name in self._wants if holds(name)]:
            to = sorted(peer for peer in self._wants[name] if name in due[peer])
            self._wants[name] -= set(to)
            if to:
                self._served.update((peer, name) for peer in to)
                out.effects.append(PushBlob(name, tuple(to)))
            if not self._wants[name]:
                del self._wants[name]
        return out
