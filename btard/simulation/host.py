"""A simulated peer: the driver, machine, engine and blob store of a node, and a queue of effects."""

from __future__ import annotations

from collections import deque

from btard.adversary import AdversarialMachine, Adversary, parse_adversary, tampered
from btard.codec import FP32
from btard.crypto import Identity, digest
from btard.machine import Effect, Perform
from btard.node.driver import Driver
from btard.node.performer import Performer
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
        store = BlobStore(STORE_BYTES)
        self.engine = Engine(recipe(), store, bytes(32))
        secret = digest("simulated secret", *place)
        arguments = (identity, secret, state, self.engine.dimension, 0.0)
        self.machine = PeerMachine(*arguments)
        self.perform: Perform = Performer(self.engine)
        self.adversary: Adversary | None = None
        if self.kind:
            entropy = digest("simulated entropy", *place)
            self.adversary = parse_adversary(self.kind).make(identity, entropy, colluders)
            self.machine = AdversarialMachine(self.adversary, *arguments)
            self.perform = tampered(self.adversary, self.perform, self.engine)
        self.driver = Driver(self.machine, store, self.engine.codec)

    @property
    def honest(self) -> bool:
        """Whether it follows the protocol, as far as it gets."""
        return not self.kind

    @property
    def ended(self) -> bool:
        """Whether the run is over for it."""
        return self.machine.ended is not None

    def claims(self, name: Digest, size_bytes: int) -> int:
        """Return the size that this peer claims as it offers a blob: the true one, if it is honest."""
        return size_bytes if self.adversary is None else self.adversary.claims(name, size_bytes)
