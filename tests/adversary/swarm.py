"""The smallest driver of real machines: one queue, and time that jumps to the next event."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from btard.adversary import AdversarialMachine, Adversary, make_adversary, tampered
from btard.codec import FP32
from btard.crypto import Draw, Identity, digest, keystream
from btard.machine import Actions, Adopt, BlobHeld, Done, Event, PushBlob, Received, Tick
from btard.node.performer import Performer
from btard.protocol.constants import ProtocolConfig
from btard.protocol.outputs import Recorded
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.training import BlobStore, Engine, Evaluation, Recipe
from btard.types import Fault, PeerId

FEATURES, CLASSES = 6, 3


class Blobs:
    """Softmax regression on three Gaussian blobs: 21 parameters, whose gradients differ between batches."""

    name = "blobs"

    def build(self, seed: bytes) -> nn.Module:
        model = nn.Linear(FEATURES, CLASSES)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        return model

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        draw = Draw(seed, "labels")
        labels = torch.tensor([draw.below(CLASSES) for _ in range(batch_size)])
        noise = torch.frombuffer(
            bytearray(keystream(seed, "noise", batch_size * FEATURES)), dtype=torch.uint8
        ).view(batch_size, FEATURES)
        points = functional.one_hot(labels, FEATURES) + noise.float() / 128 - 1
        return functional.cross_entropy(model(points), labels)

    def evaluate(self, model: nn.Module) -> Evaluation:
        return Evaluation(0.0, 0.0)


RECIPE = Recipe(Blobs(), batch_size=8, optimizer=partial(torch.optim.SGD, lr=0.1))
CONFIG = ProtocolConfig(tau=0.5, delta_max=5.0, validators=2, delta_s=1.0, phase_s=5.0)


def identities(count: int, seed: int = 0) -> list[Identity]:
    return [Identity.from_seed(digest("test", bytes([seed, index]))) for index in range(count)]


@dataclass
class Peer:
    identity: Identity
    machine: PeerMachine | AdversarialMachine
    engine: Engine
    store: BlobStore
    perform: Any
    adversary: Adversary | None
    records: list[Recorded] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class Swarm:
    """`honest` honest peers and one adversary for each of `kinds` (a kind, or a kind with parameters).

    Messages and blobs take no time, effects take `effect_s`."""

    def __init__(
        self,
        *kinds: str | tuple[str, dict[str, Any]],
        honest: int = 3,
        steps: int = 12,
        config: ProtocolConfig = CONFIG,
        seed: int = 0,
        effect_s: float = 0.0,
    ) -> None:
        self.config = config
        self.now = 0.0
        self._effect_s = effect_s
        self._queue: list[tuple[float, int, PeerId, Event, bytes | None]] = []
        self._queued = 0
        keys = identities(honest + len(kinds), seed)
        state = RosterState.genesis(digest("run", b"test"), config, [key.peer for key in keys])
        colluders = tuple(key.peer for key in keys[honest:])
        self.peers: dict[PeerId, Peer] = {}
        for index, key in enumerate(keys):
            adversary = None
            if index >= honest:
                kind = kinds[index - honest]
                name, params = (kind, {}) if isinstance(kind, str) else kind
                adversary = make_adversary(name, key, digest("seed", key.peer), colluders, **params)
            self.peers[key.peer] = self._peer(key, state, steps, adversary)
        self.honest = [self.peers[key.peer] for key in keys[:honest]]
        self.byzantine = [self.peers[key.peer] for key in keys[honest:]]

    def _peer(self, key: Identity, state: RosterState, steps: int, adversary: Adversary | None) -> Peer:
        store = BlobStore(1 << 20)
        engine = Engine(RECIPE, store, bytes(32))
        honest = PeerMachine(key, digest("secret", key.peer), state, steps, engine.dimension, self.now)
        if adversary is None:
            return Peer(key, honest, engine, store, Performer(engine), None)
        perform = tampered(adversary, Performer(engine), engine)
        return Peer(key, AdversarialMachine(honest, adversary), engine, store, perform, adversary)

    # ------------------------------------------------------------ driving

    def run(self, until: float = 2000.0) -> Swarm:
        """Until every honest peer has ended."""
        for peer in self.peers.values():
            self._take(peer, peer.machine.begin(self.now))
        while not all(peer.machine.ended for peer in self.honest):
            due = [peer.machine.wake for peer in self.peers.values() if peer.machine.wake is not None]
            if self._queue and self._queue[0][0] <= min(due, default=math.inf):
                self.now, _, to, event, data = heappop(self._queue)
                self._deliver(to, event, data)
                continue
            self.now = max(self.now, min(due))
            assert self.now < until, "the swarm does not come to an end"
            for peer in self.peers.values():
                if peer.machine.wake is not None and peer.machine.wake <= self.now:
                    self._take(peer, peer.machine.handle(Tick(), self.now))
        return self

    def _put(self, to: PeerId, event: Event, data: bytes | None = None, delay_s: float = 0.0) -> None:
        self._queued += 1
        heappush(self._queue, (self.now + delay_s, self._queued, to, event, data))

    def _deliver(self, to: PeerId, event: Event, data: bytes | None) -> None:
        peer = self.peers[to]
        if data is not None and FP32.is_valid(data):
            peer.store.put(data)
        self._take(peer, peer.machine.handle(event, self.now))

    def _take(self, peer: Peer, out: Actions) -> None:
        me = peer.identity.peer
        peer.faults += out.faults
        peer.records += [output for output in out.outputs if isinstance(output, Recorded)]
        for send in out.messages:
            for to in send.to:
                self._put(to, Received(me, send.raw))
        for effect in out.effects:
            if isinstance(effect, PushBlob):
                data = peer.store.get(effect.digest)
                assert data is not None, "a peer pushes what it holds"
                held = BlobHeld(effect.digest, len(data), FP32.is_valid(data))
                for to in effect.to:
                    self._put(to, held, data)
            else:
                result = peer.perform(effect)
                if not isinstance(effect, Adopt):
                    self._put(me, Done(effect, result), delay_s=self._effect_s)

    # ------------------------------------------------------------ what came of it

    def removals(self) -> set[tuple[str, str, str]]:
        """(whom, kind, reason) of all removals in the honest ledgers, which must be the same."""
        ledgers = [[r.entry.record for r in peer.records] for peer in self.honest]
        assert all(ledger == ledgers[0] for ledger in ledgers), "honest peers have different ledgers"
        byzantine = {peer.identity.peer for peer in self.byzantine}
        return {
            ("adversary" if removal.peer in byzantine else "honest", removal.kind, removal.reason)
            for record in ledgers[0]
            for removal in record.removals
        }

    def steps(self) -> int:
        """Steps that all honest peers made."""
        return min(peer.machine.state.step for peer in self.honest)

    def models(self) -> set[bytes]:
        """Digests of the honest peers' models."""
        return {bytes(peer.engine.model_digest) for peer in self.honest}
