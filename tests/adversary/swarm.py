"""Rigs for adversaries: by name, by class, and one in which messages race."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from btard.adversary import Adversary, make_adversary
from btard.adversary.forge import other_payload
from btard.machine import Effect, Update
from btard.node.driver import Work
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import ENDORSE, GRADIENT, RECORD
from btard.training import BlobStore, Engine
from btard.wire import Envelope, Rejection, Sealed, open_sealed, seal
from tests.rig import MakeAdversary, Peer, Rig, at_once
from tests.tasks import blobs

CONFIG = ProtocolConfig(tau=0.5, delta_max=5.0, validators=2, delta_s=1.0, phase_s=5.0)
Removals = set[tuple[str, str, str]]


def engine(store: BlobStore) -> Engine:
    return Engine(blobs(), store, bytes(32))


def swarm(
    *cheats: str | tuple[str, dict[str, Any]] | MakeAdversary,
    honest: int = 3,
    steps: int = 12,
    config: ProtocolConfig = CONFIG,
    make: Callable[..., Rig] = Rig,
    **rig: Any,
) -> Rig:
    """`honest` honest peers and, in every second seat, one adversary for each of `cheats`: a kind, a kind
    with parameters, or a class."""
    total = honest + len(cheats)
    chosen = {1 + 2 * k: _make(cheat) for k, cheat in enumerate(cheats)}
    return make(total, steps, config=config, make_engine=engine, cheats=chosen, **rig)


def _make(cheat: str | tuple[str, dict[str, Any]] | MakeAdversary) -> MakeAdversary:
    if callable(cheat):
        return cheat
    kind, params = (cheat, {}) if isinstance(cheat, str) else cheat
    return partial(make_adversary, kind, **params)


def outcome(rig: Rig) -> Removals:
    """("adversary" or "honest", kind, reason) of all removals."""
    byzantine = {peer.seat for peer in rig.byzantine}
    return {("adversary" if s in byzantine else "honest", kind, why) for s, kind, why in rig.removals()}


def slow_updates(slow: int, update_s: float) -> Callable[[Peer, Effect], float]:
    """The first `slow` peers of the roster that are honest take so long for each update."""
    seats: list[int] = []

    def effect_s(peer: Peer, effect: Effect) -> float:
        if peer.adversary is None and peer.seat not in seats and len(seats) < slow:
            seats.append(peer.seat)
        return update_s if isinstance(effect, Update) and peer.seat in seats else 0.0

    return effect_s


class Fork(Rig):
    """Hole 5: three peers, one of them Byzantine, and messages that take less than delta_s.

    As one honest peer votes, the Byzantine one shows it evidence of an equivocation, so that it falls
    into dispute; the other honest peer has all votes and goes on. The dispute finds that one silent, and
    the Byzantine peer signs whatever the frozen one endorses: two of three. `shown` counts its
    messages. With `keeps_vote_back` the frozen peer can have its vote from the other one only."""

    def __init__(self, *arguments: Any, keeps_vote_back: bool = False, **named: Any) -> None:
        self._keeps_vote_back = keeps_vote_back
        self._frozen: Peer | None = None
        self.shown = 0
        super().__init__(*arguments, **named, delay=at_once)

    def send(self, sender: Peer, to: Peer, raw: bytes) -> None:
        sealed = open_sealed(raw)
        wait = 0.1 if isinstance(sealed, Sealed) else 0.5
        if not self._is_kept_back(sender, to, sealed):
            self.later(to, lambda: to.driver.received(sender.name, raw, self.now), wait)

    def carry(self, peer: Peer, work: Work) -> None:
        super().carry(peer, work)
        if peer not in self.honest:
            return
        for send in work.messages:
            sealed = open_sealed(send.raw)
            if not isinstance(sealed, Sealed):
                continue
            if sealed.envelope.phase == RECORD and self._frozen is None and peer is self.honest[0]:
                self._frozen = peer
                self._show(self._equivocation(peer))
            elif sealed.envelope.phase == ENDORSE and peer is self._frozen:
                self._show(replace(sealed.envelope, sender=self.byzantine[0].name))

    def _is_kept_back(self, sender: Peer, to: Peer, sealed: Sealed | Rejection) -> bool:
        return (
            self._keeps_vote_back
            and isinstance(sealed, Sealed)
            and sealed.envelope.phase == RECORD
            and (sealed.envelope.step, to, sender) == (0, self.honest[0], self.byzantine[0])
        )

    def _equivocation(self, victim: Peer) -> Envelope:
        """Another gradient commitment of the Byzantine peer than the one that `victim` holds."""
        first = victim.machine.attempt.board.posts[GRADIENT][self.byzantine[0].seat]
        return replace(first.sealed.envelope, payload=other_payload(first.sealed))

    def _show(self, envelope: Envelope) -> None:
        """Sign it, and let the frozen peer have it at once."""
        assert self._frozen is not None
        self.shown += 1
        byzantine = self.byzantine[0]
        raw = seal(byzantine.identity, envelope)
        self.carry(self._frozen, self._frozen.driver.received(byzantine.name, raw, self.now))


def forking(keeps_vote_back: bool, steps: int) -> Fork:
    rig = swarm(Adversary, honest=2, steps=steps, make=Fork, keeps_vote_back=keeps_vote_back)
    assert isinstance(rig, Fork)
    return rig
