"""A peer process: joins by one address, trains to the end, says how it went."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from btard.crypto import Identity
from btard.errors import HaltedError, NetworkError
from btard.ledger.directory import RunDirectory
from btard.ledger.header import LedgerHeader
from btard.network import DhtDirectory, GrpcTransport, Limits, PeerRecord, libp2p_id, peer_of
from btard.network.deadline import within
from btard.network.descriptors import check_descriptors, raise_descriptors
from btard.network.record import MAX_ADDRESSES
from btard.node.assembly import assemble
from btard.node.key import hold_key
from btard.node.node import LINGER_DELTAS, Node
from btard.node.options import PeerOptions
from btard.node.recorder import Recorder
from btard.node.rendezvous import find_genesis, find_run
from btard.node.votes import NOWHERE, VoteLog, votes_path
from btard.node.worker import ThreadWorker
from btard.protocol.state import RosterState
from btard.run.config import RunConfig
from btard.run.events import Begun, Emit, Ended, Noted
from btard.training.engine import Engine
from btard.training.store import BlobStore
from btard.types import Digest, Fault, PeerId

WITHDRAW_S = 2.0
"""Time limit for withdrawing this peer's address at its end."""


async def run_peer(options: PeerOptions, *, emit: Emit) -> Ended:
    """Join a run, take part until the end, and return how it ended. `emit` gets each event.

    A run whose task is an import string `module:attribute` is joined only if this process has loaded that
    string before (`load_recipe`). Raises BtardError if the options are wrong, joining fails or the run cannot
    be recorded. Everything that this machine can check is checked before it asks for a seat."""
    options.check()
    raise_descriptors()
    with contextlib.ExitStack() as stack:
        identity = stack.enter_context(hold_key(options.key))
        run_dir = None
        if options.out is not None:
            run_dir = stack.enter_context(_make_directory(options.out, options.replace))
        return await _Peer(options, identity, run_dir, emit).run()


def _make_directory(out: Path, replace: bool) -> RunDirectory:
    if RunDirectory(out).ledger.exists() and not replace:
        raise HaltedError(
            f"{out} holds the ledger of a run that was begun, and a peer cannot rejoin one yet: "
            "choose another --out to join another run"
        )
    return RunDirectory.create(out, replace)


@dataclass(slots=True)
class _Peer:
    """A peer on its way through a run."""

    options: PeerOptions
    identity: Identity
    run_dir: RunDirectory | None
    emit: Emit

    async def run(self) -> Ended:
        options, me = self.options, self.identity.peer
        looking = f"peer {me.hex()[:16]}: looking for {options.join} for up to {options.wait_s:g} s"
        self.emit(Noted(text=looking))
        bootstrap = peer_of(options.join)
        directory = await DhtDirectory.create(
            self.identity, initial_peers=[options.join], host=options.host, wait_s=options.wait_s
        )
        door = _Door()
        transport: GrpcTransport | None = None
        config: RunConfig | None = None
        try:
            config = await find_run(directory, bootstrap, options.expected, options.wait_s)
            check_descriptors(Limits().descriptors(config.peers))
            # Before the others count on this peer: importing, and making optimizers, takes seconds.
            engine = config.engine(BlobStore(capacity_bytes=1), options.device)
            transport = GrpcTransport(
                self.identity,
                config.digest,
                allowed=door.allows,
                entropy=os.urandom,
                jitter=lambda: int.from_bytes(os.urandom(4), "little") / 2**32,
                host=options.host,
                port=options.port,
            )
            await transport.start(door)
            addresses = _reachable(options, directory.addresses, transport.port)
            certificate, sequence = transport.certificate.der, int(1000 * time.time())
            await directory.publish(
                PeerRecord(config.digest, me, sequence, addresses, certificate, libp2p_id(me))
            )
            joined = (
                f"joined the run {config.digest.hex()[:16]} ({config.task}) at {', '.join(addresses)}: "
                f"waiting for its {config.peers} peers"
            )
            self.emit(Noted(text=joined))
            header, records = await find_genesis(directory, bootstrap, config, options.wait_s)
            return await self._take_part(config, header, engine, transport, door, records)
        finally:
            with contextlib.suppress(NetworkError, asyncio.TimeoutError):
                if transport is not None and config is not None:
                    await within(WITHDRAW_S, directory.withdraw(config.digest))
            closing = [directory.close()] if transport is None else [transport.stop(), directory.close()]
            await asyncio.gather(*closing)

    async def _take_part(
        self,
        config: RunConfig,
        header: LedgerHeader,
        engine: Engine,
        transport: GrpcTransport,
        door: _Door,
        records: dict[PeerId, PeerRecord],
    ) -> Ended:
        members = header.members
        options, identity, run_dir = self.options, self.identity, self.run_dir
        self.emit(Begun.of(config, members, identity.peer))
        votes = VoteLog(votes_path(options.key, config.digest), config.digest, identity.peer)
        if votes.before != NOWHERE:
            step, attempt = votes.before
            self.emit(
                Noted(
                    text=f"this key has taken part in this run before, up to step {step}, attempt {attempt}: "
                    "this peer signs nothing until that attempt has ended, for nobody may sign twice"
                )
            )
        adversary = None
        if options.adversary is not None:
            adversary = options.adversary.make(identity, identity.seed, options.colluders)
        worker = ThreadWorker()
        node = assemble(
            identity,
            os.urandom(32),
            config,
            RosterState.genesis(config.digest, config.protocol, members, config.steps),
            transport,
            worker,
            records,
            now=asyncio.get_running_loop().time(),
            ledger=None if run_dir is None else run_dir.create_ledger(header),
            votes=votes,
            adversary=adversary,
            engine=engine,
        )
        every = options.evaluate_every
        recorder = Recorder(
            engine,
            worker,
            self.emit,
            steps=config.steps,
            evaluate_every=every,
            run_dir=run_dir,
            keep_checkpoints=options.keep_checkpoints,
        )
        door.node = node
        try:
            ended = await recorder.run(node)
            if ended.outcome == "finished":
                await asyncio.sleep(LINGER_DELTAS * config.protocol.delta_s)
            return ended
        finally:
            node.halt()
            votes.close()


def _reachable(options: PeerOptions, multiaddrs: tuple[str, ...], port: int) -> tuple[str, ...]:
    """The addresses to publish, the best first: as announced, as listened on, or all of this machine."""
    if options.announce:
        return options.announce[:MAX_ADDRESSES]
    seen = [each.split("/")[1:3] for each in multiaddrs]
    wild = options.host in ("0.0.0.0", "::")
    hosts = [host for kind, host in seen if kind in ("ip4", "ip6")] if wild else [options.host]
    named = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in dict.fromkeys(hosts))
    return tuple(named)[:MAX_ADDRESSES]


class _Door:
    """The transport's inbox. It lets nobody in until there is a node, then those whom the node allows."""

    node: Node | None = None

    def allows(self, peer: PeerId) -> bool:
        """Return whether this peer may send now."""
        return self.node is not None and self.node.allows(peer)

    def control(self, sender: PeerId, raw: bytes) -> None:
        """Pass on a control message."""
        if self.node is not None:
            self.node.control(sender, raw)

    def wants(self, sender: PeerId, digest: Digest, size: int) -> bool:
        """Ask the node."""
        return self.node is not None and self.node.wants(sender, digest, size)

    def blob(self, sender: PeerId, digest: Digest, data: bytes) -> None:
        """Pass on a blob."""
        if self.node is not None:
            self.node.blob(sender, digest, data)

    def fault(self, fault: Fault) -> None:
        """Pass on a fault; before there is a node nobody can have committed one that counts."""
        if self.node is not None:
            self.node.fault(fault)
