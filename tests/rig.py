"""The production driver, machine and engine of every peer on one list of events, in virtual time.

Messages have delays of the test's choosing, and some peers cheat: an adversary of `btard.adversary`, or one
of `tests.cheats`. A scenario is a `Rig`, `run()` and what came of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from btard.adversary import AdversarialMachine, Adversary, tampered
from btard.crypto import Identity, digest
from btard.machine import Effect, Perform
from btard.node.driver import Driver, Offer, Work
from btard.node.performer import Performer
from btard.protocol.constants import ProtocolConfig
from btard.protocol.outputs import Diverged, Recorded
from btard.protocol.peer import PeerMachine
from btard.protocol.record import Entry, Record
from btard.protocol.state import RosterState
from btard.training import BlobStore, Engine
from btard.types import Digest, Fault, PeerId
from tests.tasks import quadratic

CONFIG = ProtocolConfig(tau=1.0, delta_max=100.0, validators=1, directions=2, phase_s=20.0)

Delay = Callable[[int, int, bytes, float], float | None]
"""(from, to, bytes, now) -> seconds until they arrive, None if they are lost."""

MakeAdversary = Callable[..., Adversary]
"""A class of adversary, or a partial of one: called with `identity`, `seed` and `colluders`."""

MakeEngine = Callable[[BlobStore], Engine]


def at_once(sender: int, to: int, raw: bytes, now: float) -> float | None:
    return 0.0


def tiny_engine(store: BlobStore) -> Engine:
    return Engine(quadratic(), store, bytes(32))


def identities(count: int) -> list[Identity]:
    """Keys in the order of their seats."""
    keys = [Identity.from_seed(bytes([k + 1]) * 32) for k in range(count)]
    return sorted(keys, key=lambda key: key.peer)


@dataclass
class Peer:
    """One peer, and what it recorded and complained of."""

    seat: int
    identity: Identity
    machine: PeerMachine
    engine: Engine
    driver: Driver
    perform: Perform
    adversary: Adversary | None
    recorded: list[Recorded] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def name(self) -> PeerId:
        return self.identity.peer

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(recorded.entry for recorded in self.recorded)


class Rig:
    """`peers` peers by seat at genesis; `cheats` maps a seat to its adversary. `effect_s` tells how long an
    effect takes a peer, `adopted` is called when it has taken over a model."""

    def __init__(
        self,
        peers: int,
        steps: int = 3,
        *,
        config: ProtocolConfig = CONFIG,
        run: Digest | None = None,
        make_engine: MakeEngine = tiny_engine,
        delay: Delay = at_once,
        cheats: Mapping[int, MakeAdversary] | None = None,
        effect_s: Callable[[Peer, Effect], float] = lambda peer, effect: 0.0,
        adopted: Callable[[Peer], None] = lambda peer: None,
    ) -> None:
        keys = identities(peers)
        cheats = cheats or {}
        self.genesis = RosterState.genesis(run or digest("run"), config, [key.peer for key in keys], steps)
        self.steps = steps
        self.make_engine = make_engine
        self.delay = delay
        self.effect_s = effect_s
        self.adopted = adopted
        self.now = 0.0
        self.pushes: Counter[tuple[PeerId, PeerId, Digest]] = Counter()
        self._number = count()
        self._events: list[tuple[float, int, int, Callable[[], Work]]] = []
        colluders = tuple(keys[seat].peer for seat in cheats)
        self.peers = [self.peer(seat, key, cheats.get(seat), colluders) for seat, key in enumerate(keys)]
        self.seat_of = {peer.name: peer.seat for peer in self.peers}
        self.honest = [peer for peer in self.peers if peer.seat not in cheats]
        self.byzantine = [peer for peer in self.peers if peer.seat in cheats]

    def peer(
        self, seat: int, key: Identity, cheat: MakeAdversary | None = None, colluders: tuple[PeerId, ...] = ()
    ) -> Peer:
        """A peer at genesis."""
        store = BlobStore(1 << 22)
        engine = self.make_engine(store)
        arguments = (key, digest("secret", key.seed), self.genesis, engine.dimension, 0.0)
        perform: Perform = Performer(engine)
        if cheat is None:
            machine = PeerMachine(*arguments)
            return Peer(seat, key, machine, engine, Driver(machine, store, engine.codec), perform, None)
        adversary = cheat(identity=key, seed=digest("seed", key.peer), colluders=colluders)
        machine = AdversarialMachine(adversary, *arguments)
        perform = tampered(adversary, perform, engine)
        return Peer(seat, key, machine, engine, Driver(machine, store, engine.codec), perform, adversary)

    # ------------------------------------------------------------ what happens

    def run(self, until: float = 10_000.0) -> Rig:
        """Run until every honest peer has ended."""
        for peer in self.peers:
            self.carry(peer, peer.driver.begin(self.now))
        while any(peer.machine.ended is None for peer in self.honest):
            soonest = min((p.driver.wake for p in self.peers if p.driver.wake is not None), default=math.inf)
            if self._events and self._events[0][0] <= soonest:
                self.now, _, seat, act = heappop(self._events)
                self.carry(self.peers[seat], act())
                continue
            assert soonest < until, "the honest peers wait for something that never comes"
            self.now = max(self.now, soonest)
            for peer in self.peers:
                if peer.driver.wake is not None and peer.driver.wake <= self.now:
                    self.carry(peer, peer.driver.tick(self.now))
        return self

    def carry(self, peer: Peer, work: Work) -> None:
        """Do what is left to do after an event of a peer."""
        assert not any(isinstance(output, Diverged) for output in work.outputs), "models differ"
        peer.faults += work.faults
        peer.recorded += [output for output in work.outputs if isinstance(output, Recorded)]
        for send in work.messages:
            for to in send.to:
                self.send(peer, self.peers[self.seat_of[to]], send.raw)
        for push in work.pushes:
            for to in push.to:
                self.pushes[peer.name, to, push.digest] += 1
                self.offer(peer, self.peers[self.seat_of[to]], push.digest, push.data)
        for effect in work.effects:
            result = peer.perform(effect)
            if type(effect).__name__ == "Adopt":
                self.adopted(peer)
            self.later(peer, self._done(peer, effect, result), self.effect_s(peer, effect))

    def send(self, sender: Peer, to: Peer, raw: bytes) -> None:
        """Put bytes on a link."""
        wait = self.delay(sender.seat, to.seat, raw, self.now)
        if wait is not None:
            self.later(to, lambda: to.driver.received(sender.name, raw, self.now), wait)

    def offer(self, sender: Peer, to: Peer, name: Digest, data: bytes) -> None:
        """Offer a blob, with the size that the sender claims, and carry it if it is wanted."""
        claimed = len(data) if sender.adversary is None else sender.adversary.claims(name, len(data))

        def arrive() -> Work:
            answer = to.driver.offered(sender.name, name, claimed)
            if answer is Offer.HELD:
                return to.driver.held(name, self.now)
            wanted = answer is Offer.WANTED and claimed == len(data)
            return to.driver.arrived(name, data, self.now) if wanted else Work()

        self.later(to, arrive)

    def later(self, peer: Peer, act: Callable[[], Work], wait_s: float = 0.0) -> None:
        """Let something happen to a peer."""
        heappush(self._events, (self.now + wait_s, next(self._number), peer.seat, act))

    def _done(self, peer: Peer, effect: Effect, result: object) -> Callable[[], Work]:
        return lambda: peer.driver.done(effect, result, self.now)

    # ------------------------------------------------------------ what came of it

    def agreed(self) -> list[Record]:
        """The honest ledger; there is only one."""
        ledgers = [[entry.record for entry in peer.entries] for peer in self.honest]
        assert all(ledger == ledgers[0] for ledger in ledgers), "honest peers wrote different ledgers"
        return ledgers[0]

    def removals(self) -> set[tuple[int, str, str]]:
        """(seat at genesis, kind, reason) of everybody that was removed."""
        return {
            (self.seat_of[PeerId(r.peer)], r.kind, str(r.reason))
            for record in self.agreed()
            for r in record.removals
        }

    def faults(self) -> list[Fault]:
        """All faults that honest peers found."""
        return [fault for peer in self.honest for fault in peer.faults]

    def models(self) -> set[Digest]:
        """Digests of the honest peers' models."""
        return {peer.engine.model_digest for peer in self.honest}
