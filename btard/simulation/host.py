"""A simulated peer: the real machine, engine and blob store, and a queue of work like a node's worker."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace
from typing import Any

from btard.adversary import AdversarialMachine, parse_adversary
from btard.codec import FP32
from btard.crypto import Identity, digest
from btard.machine import Actions, Adopt, BlobHeld, Effect, Event, PushBlob
from btard.node.node import EARLY_PARTS
from btard.node.performer import Perform, Performer
from btard.protocol.outputs import Recorded
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.simulation.scenario import Scenario
from btard.simulation.task import DIMENSION, recipe
from btard.training import BlobStore, Engine
from btard.types import Digest, PeerId

STORE_BYTES = 64 * FP32.size_bytes(DIMENSION)
"""Room for every row of every part, a few times over."""


def identity_of(seed: int, index: int) -> Identity:
    """The key of peer `index` in the world of `seed`."""
    return Identity.from_seed(digest("simulated identity", seed.to_bytes(16, "little"), bytes([index])))


class Host:
    """Peer `index` of a scenario, from `state` on. What the world does to it goes through here."""

    def __init__(
        self, index: int, scenario: Scenario, state: RosterState, colluders: tuple[PeerId, ...]
    ) -> None:
        place = (scenario.seed.to_bytes(16, "little"), bytes([index]))
        identity = identity_of(scenario.seed, index)
        self.index = index
        self.peer = identity.peer
        self.kind = next((each.kind for each in scenario.byzantine if each.peer == index), "")
        self.steady = index in scenario.steady
        self.alive = True
        self.queue: deque[Effect] = deque()
        self.tick_at: float | None = None
        self.store = BlobStore(STORE_BYTES)
        self.engine = Engine(recipe(), self.store, bytes(32))
        self._early: Counter[PeerId] = Counter()
        self._arrived: list[Digest] = []
        secret = digest("simulated secret", *place)
        machine = PeerMachine(identity, secret, state, scenario.steps, self.engine.dimension, now=0.0)
        honest = Performer(self.engine)
        self.machine: PeerMachine | AdversarialMachine = machine
        self.perform: Perform = honest
        if self.kind:
            entropy = digest("simulated entropy", *place)
            adversary = parse_adversary(self.kind).make(identity, entropy, colluders)
            self.machine = AdversarialMachine(machine, adversary)
            self.perform = lambda effect: adversary.perform(effect, honest, self.engine)

    @property
    def honest(self) -> bool:
        """Whether it follows the protocol, as far as it gets."""
        return not self.kind

    @property
    def ended(self) -> bool:
        """Whether the run is over for it."""
        return self.machine.ended is not None

    def begin(self, now: float) -> Actions:
        """The machine's first step."""
        return self._taken(self.machine.begin(now))

    def handle(self, event: Event, now: float) -> Actions:
        """What the machine wants after an event."""
        return self._taken(self.machine.handle(event, now))

    def work(self, effect: Effect) -> Any:
        """The result of an effect."""
        if isinstance(effect, Adopt):
            # What came since the machine asked for this belongs to the next step.
            arrived, self._arrived = self._arrived, []
            return self.perform(replace(effect, keep=(*effect.keep, *arrived)))
        return self.perform(effect)

    def take(self, sender: PeerId, name: Digest, data: bytes) -> BlobHeld | None:
        """A blob arrives: what the machine is told, if the blob is welcome (`node.Node.wants`)."""
        if name in self.store or not self._wants(sender, name, len(data)):
            return None
        finite = FP32.is_valid(data)
        if finite:
            self._arrived.append(self.store.put(data))
        return BlobHeld(name, len(data), finite)

    def blob(self, push: PushBlob) -> bytes | None:
        """The bytes to push."""
        return self.store.get(push.digest)

    def _wants(self, sender: PeerId, name: Digest, size_bytes: int) -> bool:
        seats = max(1, len(self.machine.state.participants))
        if size_bytes > self.engine.part_bytes(0, seats) or not self.store.fits(size_bytes):
            return False
        if self.machine.expects(sender, name):
            return True
        self._early[sender] += 1
        return self._early[sender] <= EARLY_PARTS

    def _taken(self, out: Actions) -> Actions:
        if any(isinstance(effect, Adopt) for effect in out.effects):
            self._arrived.clear()
        if any(isinstance(output, Recorded) for output in out.outputs):
            self._early.clear()
        return out
