"""Puts a node together: store, engine, machine, and the adversary around them if there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from btard.adversary import AdversarialMachine, Adversary, tampered
from btard.codec import FP32
from btard.crypto import Identity
from btard.ledger.file import LedgerFile
from btard.machine import Perform
from btard.network import PeerRecord, Transport
from btard.node.gauge import Gauge
from btard.node.journal import Journal
from btard.node.node import Node
from btard.node.performer import Performer
from btard.node.revival import Revived
from btard.node.votes import VoteLog
from btard.node.worker import Worker
from btard.protocol.beginning import Beginning
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.run.config import STORE_MODELS_PER_SEAT, RunConfig
from btard.training.engine import Engine
from btard.training.store import BlobStore
from btard.types import PeerId


def make_machine(
    identity: Identity,
    secret: bytes,
    beginning: Beginning,
    engine: Engine,
    adversary: Adversary | None = None,
) -> PeerMachine:
    """Return the machine of a peer in a step that begins so, in its adversary if there is one. Its coin
    shares and salts derive from `secret`: 32 bytes of fresh entropy, never of its key, since what it reveals
    is public."""
    arguments = (identity, secret, beginning.state, engine.dimension, beginning.now)
    if adversary is None:
        return PeerMachine(*arguments, since=beginning)
    return AdversarialMachine(adversary, *arguments, since=beginning)


def assemble(
    identity: Identity,
    secret: bytes,
    config: RunConfig,
    state: RosterState,
    transport: Transport,
    worker: Worker,
    records: Mapping[PeerId, PeerRecord],
    *,
    now: float,
    ledger: LedgerFile | None = None,
    votes: VoteLog | None = None,
    journal: Journal | None = None,
    revived: Revived | None = None,
    adversary: Adversary | None = None,
    engine: Engine | None = None,
    clock: Callable[[], float] | None = None,
) -> Node:
    """Return a node that begins a step in `state`, or goes on with what it was (`revived`, made with this
    adversary). `secret` is that of `make_machine`. `votes` keeps it from signing twice what an earlier
    process with its key may have signed: needed by whoever can be started again. `journal` is what a
    successor goes on with. `clock` times its work (`Gauge`). Making an `engine` takes seconds: a peer that is
    waited for makes it beforehand (`config.engine`).

    Raises ConfigurationError or RunMismatchError if this machine cannot do the run's task."""
    engine = engine or config.engine(BlobStore(capacity_bytes=1))
    seats = len(state.members)
    engine.store.resize(STORE_MODELS_PER_SEAT * (seats + 1) * FP32.size_bytes(engine.dimension + seats))
    if revived is None:
        machine = make_machine(identity, secret, Beginning(state, now), engine, adversary)
    else:
        machine = revived.machine
    perform: Perform = Performer(engine)
    if adversary is not None:
        perform = tampered(adversary, perform, engine)
    gauge = Gauge(clock)
    return Node(machine, perform, engine, transport, worker, records, ledger, votes, journal, revived, gauge)
