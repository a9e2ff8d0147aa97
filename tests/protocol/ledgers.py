"""Real ledgers: real peers run real steps with no delay, in virtual time, and some of them cheat."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from btard.codec import FP32
from btard.crypto import Draw, Identity, digest
from btard.machine import (
    Actions,
    Aggregate,
    Aggregated,
    BlobHeld,
    ComputeGradient,
    Done,
    Effect,
    Event,
    Project,
    PushBlob,
    Received,
    Send,
    Tick,
)
from btard.node.performer import Performer
from btard.protocol.constants import ProtocolConfig
from btard.protocol.outputs import Recorded
from btard.protocol.peer import PeerMachine
from btard.protocol.record import Entry
from btard.protocol.state import RosterState
from btard.training import BlobStore, Engine, Evaluation, Recipe
from btard.types import Digest, PeerId
from btard.wire import Sealed, open_sealed, seal

CONFIG = ProtocolConfig(tau=1.0, delta_max=100.0, validators=1, directions=2, phase_s=20.0)
Perform = Callable[[Effect], object]
Misdeed = Callable[["Peer", Perform, Effect], object]
"""Performs an effect of a cheat; the honest way to do it comes along."""
Tamper = Callable[["Peer", Actions], Actions]
"""Changes what a cheat sends."""


class Quadratic:
    """Pull 12 parameters towards a random point: the smallest task that has something to project."""

    name = "quadratic"

    def build(self, seed: bytes) -> nn.Module:
        return nn.Linear(12, 1, bias=False)

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        draw = Draw(seed, "quadratic")
        point = torch.tensor([draw.below(1000) / 1000 for _ in range(12)])
        (weight,) = model.parameters()
        return (weight - point).square().sum()

    def evaluate(self, model: nn.Module) -> Evaluation:
        return Evaluation(0.0, 0.0)


def quadratic() -> Recipe:
    """The recipe of the task, as a run's configuration names it."""
    return Recipe(
        Quadratic(), batch_size=1, optimizer=partial(torch.optim.SGD, lr=0.05), projections=CONFIG.directions
    )


def tiny_engine(store: BlobStore) -> Engine:
    return Engine(quadratic(), store, bytes(32))


MakeEngine = Callable[[BlobStore], Engine]


class Peer:
    """A machine with the engine that performs its effects."""

    def __init__(self, identity: Identity, genesis: RosterState, steps: int, make_engine: MakeEngine) -> None:
        self.identity = identity
        self.store = BlobStore(1 << 22)
        self.engine = make_engine(self.store)
        self.machine = PeerMachine(
            identity, digest("secret", identity.seed), genesis, steps, self.engine.dimension, 0.0
        )
        self.entries: list[Entry] = []
        self.misdeed: Misdeed | None = None
        self.tamper: Tamper | None = None

    def perform(self, effect: Effect) -> object:
        honest = Performer(self.engine)
        return honest(effect) if self.misdeed is None else self.misdeed(self, honest, effect)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one honest peer wrote down, and the state that it began from."""

    genesis: RosterState
    entries: tuple[Entry, ...]
    identities: tuple[Identity, ...]


class Swarm:
    """Peers in one place: messages arrive at once and in order; time passes when nothing else happens."""

    def __init__(
        self,
        peers: int,
        steps: int,
        *,
        run: Digest | None = None,
        config: ProtocolConfig = CONFIG,
        make_engine: MakeEngine = tiny_engine,
    ) -> None:
        identities = sorted((Identity.from_seed(bytes([k + 1]) * 32) for k in range(peers)), key=by_peer)
        self.identities = tuple(identities)
        self.genesis = RosterState.genesis(run or digest("run"), config, [i.peer for i in identities])
        self.peers = {i.peer: Peer(i, self.genesis, steps, make_engine) for i in identities}
        self.on_adopt: Callable[[Peer], None] = lambda peer: None
        self._queue: deque[tuple[Peer, Event]] = deque()
        self._now = 0.0

    def seat(self, index: int) -> Peer:
        return self.peers[self.identities[index].peer]

    @property
    def honest(self) -> list[Peer]:
        """The peers that nobody corrupted."""
        return [p for p in self.peers.values() if p.misdeed is None and p.tamper is None]

    def run(self) -> Ledger:
        """Run until no honest peer waits for anything; the ledger of the first of them."""
        for peer in self.peers.values():
            self._take(peer, peer.machine.begin(self._now))
        while True:
            while self._queue:
                peer, event = self._queue.popleft()
                self._take(peer, peer.machine.handle(event, self._now))
            waiting = [p.machine.wake for p in self.honest if p.machine.wake is not None]
            if not waiting:
                break
            self._now = max(self._now, min(waiting))
            assert self._now < 10_000, "nobody gets any further"
            self._queue.extend((p, Tick()) for p in self.peers.values())
        return Ledger(self.genesis, tuple(self.honest[0].entries), self.identities)

    def _take(self, peer: Peer, out: Actions) -> None:
        if peer.tamper is not None:
            out = peer.tamper(peer, out)
        peer.entries += [o.entry for o in out.outputs if isinstance(o, Recorded)]
        for send in out.messages:
            self._queue.extend((self.peers[to], Received(peer.identity.peer, send.raw)) for to in send.to)
        for effect in out.effects:
            if isinstance(effect, PushBlob):
                self._push(peer, effect)
            else:
                self._queue.append((peer, Done(effect, peer.perform(effect))))
                if type(effect).__name__ == "Adopt":
                    self.on_adopt(peer)

    def _push(self, peer: Peer, effect: PushBlob) -> None:
        data = peer.store.get(effect.digest)
        assert data is not None
        finite = FP32.is_valid(data)
        for to in effect.to:
            if finite:
                self.peers[to].store.put(data)
            self._queue.append((self.peers[to], BlobHeld(effect.digest, len(data), finite)))


def by_peer(identity: Identity) -> PeerId:
    return identity.peer


def forged(ledger: Ledger, index: int, **changes: object) -> Ledger:
    """The ledger with other contents in one entry."""
    entries = list(ledger.entries)
    entries[index] = replace(entries[index], **changes)  # type: ignore[arg-type]
    return replace(ledger, entries=tuple(entries))


def index_of(entries: Sequence[Entry], **wanted: object) -> int:
    """The first record with these fields."""
    return next(
        k for k, e in enumerate(entries) if all(getattr(e.record, name) == v for name, v in wanted.items())
    )


# ---------------------------------------------------------------- who cheats, and how


def misreports(peer: Peer, honest: Perform, effect: Effect) -> object:
    """Publishes false norms: banned by the verdicts on a row."""
    result = honest(effect)
    if isinstance(effect, Project) and effect.step == 1:
        assert isinstance(result, tuple)
        return tuple(replace(scalars, norm=scalars.norm + 1.0) for scalars in result)
    return result


def owes_another_gradient(peer: Peer, honest: Perform, effect: Effect) -> object:
    """Takes a batch of its own choice in step 3, and publishes the true scalars of that."""
    if isinstance(effect, (ComputeGradient, Project)) and effect.step == 3:
        return honest(replace(effect, seed=bytes(32)))
    return honest(effect)


def aggregates_wrongly(peer: Peer, honest: Perform, effect: Effect) -> object:
    """Commits to another aggregate than CenteredClip's: banned by the zero sum, without a vote."""
    result = honest(effect)
    if isinstance(effect, Aggregate) and peer.engine.step == 1:
        assert isinstance(result, Aggregated)
        assert result.aggregate is not None
        data = peer.store.get(result.aggregate)
        assert data is not None
        return Aggregated(peer.store.put(FP32.encode(FP32.decode(data) + 0.5)))
    return result


def says(phase: str, change: Callable[[bytes], bytes], step: int = 1) -> Tamper:
    """Replaces the payload of this phase, towards everybody."""

    def tamper(peer: Peer, out: Actions) -> Actions:
        out.messages = [
            replace(send, raw=_resealed(peer, send.raw, phase, step, change)) for send in out.messages
        ]
        return out

    return tamper


def equivocates(phase: str, change: Callable[[bytes], bytes], step: int = 1) -> Tamper:
    """Says one thing to half of the others and something else to the rest: banned by both messages."""

    def tamper(peer: Peer, out: Actions) -> Actions:
        sends: list[Send] = []
        for send in out.messages:
            other = _resealed(peer, send.raw, phase, step, change)
            half = len(send.to) // 2
            sends += [Send(send.to[:half], send.raw), Send(send.to[half:], other)]
        out.messages = sends
        return out

    return tamper


def falls_silent(phase: str, step: int = 1) -> Tamper:
    """Sends nothing of this phase: everybody waits, then settles it in a dispute."""

    def tamper(peer: Peer, out: Actions) -> Actions:
        out.messages = [send for send in out.messages if not _is_of(send.raw, phase, step)]
        return out

    return tamper


def _is_of(raw: bytes, phase: str, step: int) -> bool:
    sealed = open_sealed(raw)
    return isinstance(sealed, Sealed) and (sealed.envelope.phase, sealed.envelope.step) == (phase, step)


def _resealed(peer: Peer, raw: bytes, phase: str, step: int, change: Callable[[bytes], bytes]) -> bytes:
    sealed = open_sealed(raw)
    if not isinstance(sealed, Sealed) or not _is_of(raw, phase, step):
        return raw
    if sealed.envelope.sender != peer.identity.peer:
        return raw  # somebody else's message, forwarded
    return seal(peer.identity, replace(sealed.envelope, payload=change(sealed.envelope.payload)))
