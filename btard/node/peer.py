"""A peer process: joins by one address, trains to the end, says how it went."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from btard.adversary import make_adversary
from btard.crypto import Identity
from btard.ledger.directory import RunDirectory
from btard.ledger.header import LedgerHeader
from btard.network import DhtDirectory, GrpcTransport, PeerRecord, libp2p_id, peer_of
from btard.network.transport import Inbox
from btard.node.assembly import assemble
from btard.node.node import Node
from btard.node.options import PeerOptions
from btard.node.recorder import Recorder
from btard.node.rendezvous import find_genesis, find_run
from btard.node.worker import ThreadWorker
from btard.protocol.state import RosterState
from btard.run.config import RunConfig
from btard.run.events import Begun, Emit, Ended, Noted
from btard.training.engine import Engine
from btard.training.store import BlobStore
from btard.types import Digest, Fault, PeerId

LINGER_DELTAS = 3
"""How long a peer that has finished stays to answer those that haven't, in delta."""

ENTROPY: Callable[[int], bytes] = os.urandom


async def run_peer(options: PeerOptions, *, emit: Emit) -> Ended:
    """Join and take part until the end. `emit` gets the events, the returned one last.

    Raises BtardError where joining fails, or the run cannot be recorded."""
    identity = Identity.load_or_create(options.key, ENTROPY)
    bootstrap = peer_of(options.join)
    stack = contextlib.ExitStack()
    run_dir = None
    if options.run_dir is not None:
        run_dir = stack.enter_context(RunDirectory.create(options.run_dir))
    emit(Noted(text=f"peer {identity.peer.hex()[:16]}: looking for {options.join}"))
    directory = await DhtDirectory.create(identity, initial_peers=[options.join], host=options.host)
    door = _Door()
    transport: GrpcTransport | None = None
    try:
        config = await find_run(directory, bootstrap, options.expected, options.wait_s)
        # Before the others count on this peer: importing, and making optimizers, takes seconds.
        engine = config.engine(BlobStore(capacity_bytes=1), options.device)
        transport = GrpcTransport(
            identity,
            config.digest,
            allowed=door.allows,
            entropy=ENTROPY,
            jitter=lambda: int.from_bytes(ENTROPY(4), "little") / 2**32,
            host=options.host,
            port=options.port,
        )
        await transport.start(door)
        address = options.announce or f"{options.host}:{transport.port}"
        certificate = transport.certificate.der
        await directory.publish(
            PeerRecord(config.digest, identity.peer, 1, (address,), certificate, libp2p_id(identity.peer))
        )
        run = config.digest.hex()
        emit(Noted(text=f"joined the run {run[:16]} ({config.task}): waiting for its {config.peers} peers"))
        header, records = await find_genesis(directory, bootstrap, config, options.wait_s)
        emit(
            Begun(
                run=run,
                task=config.task,
                steps=config.steps,
                members=tuple(peer.hex() for peer in header.members),
                seat=header.members.index(identity.peer),
            )
        )
        return await _take_part(
            options, identity, config, header, engine, transport, door, records, run_dir, emit
        )
    finally:
        stack.close()
        closing = [directory.close()] if transport is None else [transport.stop(), directory.close()]
        await asyncio.gather(*closing)


async def _take_part(
    options: PeerOptions,
    identity: Identity,
    config: RunConfig,
    header: LedgerHeader,
    engine: Engine,
    transport: GrpcTransport,
    door: _Door,
    records: dict[PeerId, PeerRecord],
    run_dir: RunDirectory | None,
    emit: Emit,
) -> Ended:
    loop = asyncio.get_running_loop()
    adversary = None
    if options.adversary is not None:
        kind, params = options.adversary
        adversary = make_adversary(kind, identity, identity.seed, options.colluders, **params)
    worker = ThreadWorker()
    node = assemble(
        identity,
        config,
        RosterState.genesis(config.digest, config.protocol, header.members),
        transport,
        worker,
        records,
        now=loop.time(),
        ledger=None if run_dir is None else run_dir.create_ledger(header),
        adversary=adversary,
        engine=engine,
    )

    recorder = Recorder(
        node.engine,
        worker,
        emit,
        steps=config.steps,
        evaluate_every=options.evaluate_every,
        run_dir=run_dir,
    )
    door.open(node, header.members)
    try:
        ended = await recorder.run(node)
        if ended.outcome == "finished":
            await asyncio.sleep(LINGER_DELTAS * config.protocol.delta_s)
        return ended
    finally:
        node.halt()


class _Door:
    """The transport's inbox before the roster is known: nobody may come in. Then the node's."""

    def __init__(self) -> None:
        self._node: Inbox | None = None
        self._members: frozenset[PeerId] = frozenset()

    def open(self, node: Node, members: tuple[PeerId, ...]) -> None:
        """From now on members come in."""
        self._node, self._members = node, frozenset(members)

    def allows(self, peer: PeerId) -> bool:
        """Whether this peer is of the roster."""
        return peer in self._members

    def control(self, sender: PeerId, raw: bytes) -> None:
        """Pass on a control message."""
        if self._node is not None:
            self._node.control(sender, raw)

    def wants(self, sender: PeerId, digest: Digest, size: int) -> bool:
        """Ask the node."""
        return self._node is not None and self._node.wants(sender, digest, size)

    def blob(self, sender: PeerId, digest: Digest, data: bytes) -> None:
        """Pass on a blob."""
        if self._node is not None:
            self._node.blob(sender, digest, data)

    def fault(self, fault: Fault) -> None:
        """Pass on a fault; before there's a node nobody can have committed one that counts."""
        if self._node is not None:
            self._node.fault(fault)
