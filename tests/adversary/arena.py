"""Swarms for adversaries that have no name, and for attacks that take timing or several peers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from btard.adversary import Adversary
from btard.adversary.forge import other_payload
from btard.machine import Actions, Done, Event, PushBlob, Received, Update
from btard.protocol.messages import ENDORSE, GRADIENT, RECORD
from btard.protocol.state import RosterState
from btard.types import Digest, PeerId
from btard.wire import Envelope, Rejection, Sealed, open_sealed, seal
from tests.adversary.swarm import Peer, Swarm

MakeExploit = Callable[..., Adversary]
"""A class of adversary, or a partial of one."""


class Arena(Swarm):
    """`Swarm` with one adversary for each of `exploits`, which have no names. The first `slow` of the honest
    peers take `update_s` for each update; `pushes` counts blobs by sender, receiver and digest."""

    def __init__(self, *exploits: MakeExploit, slow: int = 0, update_s: float = 0.0, **swarm: Any) -> None:
        self._exploits = list(exploits)
        self._slow, self._update_s = slow, update_s
        self.pushes: Counter[tuple[PeerId, PeerId, Digest]] = Counter()
        super().__init__(*("silent" for _ in exploits), **swarm)

    def _put(self, to: PeerId, event: Event, data: bytes | None = None, delay_s: float = 0.0) -> None:
        if isinstance(event, Done) and isinstance(event.effect, Update):
            delay_s += self._update_s if to in [p.identity.peer for p in self.honest[: self._slow]] else 0.0
        super()._put(to, event, data, delay_s)

    def _take(self, peer: Peer, out: Actions) -> None:
        pushes = [effect for effect in out.effects if isinstance(effect, PushBlob)]
        self.pushes.update((peer.identity.peer, to, push.digest) for push in pushes for to in push.to)
        super()._take(peer, out)

    def _peer(self, key: Any, state: RosterState, steps: int, adversary: Adversary | None) -> Peer:
        if adversary is not None:
            made = self._exploits.pop(0)
            adversary = made(identity=key, seed=adversary.seed, colluders=adversary.colluders)
        return super()._peer(key, state, steps, adversary)


class Fork(Arena):
    """Hole 5: three peers, one of them Byzantine, and messages that take less than delta.

    As one honest peer votes, the Byzantine one shows it evidence of an equivocation, so that it falls
    into dispute; the other honest peer has all votes and goes on. The dispute finds that one silent, and
    the Byzantine peer signs whatever the frozen one endorses: two of three. `shown` counts its
    messages. With `keeps_vote_back` the frozen peer can have its vote from the other one only."""

    def __init__(self, keeps_vote_back: bool = False, **swarm: Any) -> None:
        self._keeps_vote_back = keeps_vote_back
        self._frozen: Peer | None = None
        self.shown = 0
        super().__init__(Adversary, honest=2, **swarm)

    @property
    def _byzantine(self) -> PeerId:
        return self.byzantine[0].identity.peer

    def _put(self, to: PeerId, event: Event, data: bytes | None = None, delay_s: float = 0.0) -> None:
        if isinstance(event, Received):
            sealed = open_sealed(event.raw)
            delay_s += 0.1 if isinstance(sealed, Sealed) else 0.5
            if self._is_kept_back(to, event.sender, sealed):
                return
        super()._put(to, event, data, delay_s)

    def _take(self, peer: Peer, out: Actions) -> None:
        super()._take(peer, out)
        if peer not in self.honest:
            return
        for send in out.messages:
            sealed = open_sealed(send.raw)
            if not isinstance(sealed, Sealed):
                continue
            if sealed.envelope.phase == RECORD and self._frozen is None and peer is self.honest[0]:
                self._frozen = peer
                self._show(self._equivocation(peer))
            elif sealed.envelope.phase == ENDORSE and peer is self._frozen:
                self._show(replace(sealed.envelope, sender=self._byzantine))

    def _is_kept_back(self, to: PeerId, sender: PeerId, sealed: Sealed | Rejection) -> bool:
        return (
            self._keeps_vote_back
            and isinstance(sealed, Sealed)
            and sealed.envelope.phase == RECORD
            and (sealed.envelope.step, to, sender) == (0, self.honest[0].identity.peer, self._byzantine)
        )

    def _equivocation(self, victim: Peer) -> Envelope:
        """Another gradient commitment of the Byzantine peer than the one that `victim` holds."""
        seat = victim.machine.attempt.board.seat_of[self._byzantine]
        first = victim.machine.attempt.board.posts[GRADIENT][seat]
        return replace(first.sealed.envelope, payload=other_payload(first.sealed))

    def _show(self, envelope: Envelope) -> None:
        """Sign it, and let the frozen peer have it at once."""
        assert self._frozen is not None
        self.shown += 1
        byzantine = self.byzantine[0].identity
        received = Received(byzantine.peer, seal(byzantine, envelope))
        self._take(self._frozen, self._frozen.machine.handle(received, self.now))
