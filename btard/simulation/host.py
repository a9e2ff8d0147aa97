"""A simulated peer: the driver, machine, engine, blob store and ledger of a node, a queue of effects, and a
processor that takes its time over each message.
"""

from __future__ import annotations

from collections import deque

from btard.adversary import AdversarialMachine, Adversary, parse_adversary, tampered
from btard.codec import FP32
from btard.crypto import Identity, digest
from btard.ledger.header import LedgerHeader
from btard.machine import Effect, Perform
from btard.network.allowance import BYTE_S, MESSAGE_S
from btard.node.driver import Driver
from btard.node.performer import Performer
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.run.config import STORE_MODELS_PER_SEAT
from btard.simulation.book import Book
from btard.simulation.scenario import Scenario
from btard.simulation.task import DIMENSION, recipe
from btard.training import BlobStore, Engine
from btard.types import Digest, PeerId

SIGNATURE_S = 1.35e-4
"""Seconds of processor time for a message's signature and form (`benchmarks/results/hostile.md`)."""


def store_bytes(peers: int) -> int:
    """The room of a peer's blob store, by the rule of `node/assembly.py`."""
    return STORE_MODELS_PER_SEAT * (peers + 1) * FP32.size_bytes(DIMENSION + peers)


def processor_s(size_bytes: int) -> float:
    """Seconds of the event loop's time that a control message takes. Nothing holds a flood up at its sender,
    as the allowances of the real transport do."""
    return MESSAGE_S + SIGNATURE_S + BYTE_S * size_bytes


def identity_of(seed: int, index: int) -> Identity:
    """The key of peer `index` in the world of `seed`."""
    return Identity.from_seed(digest("simulated identity", seed.to_bytes(16, "little"), bytes([index])))


class Host:
    """Peer `index` of a scenario, from `state` on, which is that of the ledger's `header`. What the world
    does to it goes through here.

    Its processor is busy until `busy_until`; `behind_s` is the longest time that an event waited for it."""

    def __init__(
        self,
        index: int,
        scenario: Scenario,
        header: LedgerHeader,
        state: RosterState,
        colluders: tuple[PeerId, ...],
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
        self.busy_until = 0.0
        self.behind_s = 0.0
        self.book = Book(header)
        store = BlobStore(store_bytes(scenario.peers))
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

    def ready_at(self, now: float, size_bytes: int) -> float:
        """Return when its processor has read a message of this size that came at `now`, or, for 0 bytes, when
        it gets to something else; messages keep it busy until then."""
        took = processor_s(size_bytes) if size_bytes else 0.0
        begins = max(now, self.busy_until)
        self.behind_s = max(self.behind_s, begins - now)
        self.busy_until = begins + took
        return self.busy_until

    def claims(self, name: Digest, size_bytes: int) -> int:
        """Return the size that this peer claims as it offers a blob: the true one, if it is honest."""
        return size_bytes if self.adversary is None else self.adversary.claims(name, size_bytes)
