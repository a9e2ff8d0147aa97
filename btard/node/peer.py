"""A peer process: joins by one address, trains to the end, says how it went."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from btard.crypto import Identity
from btard.errors import HaltedError
from btard.ledger.directory import RunDirectory
from btard.ledger.header import LedgerHeader
from btard.memory import settle
from btard.network import GrpcTransport, Limits, PeerRecord, libp2p_id
from btard.network.descriptors import check_descriptors, raise_descriptors
from btard.network.dht_node import import_hivemind
from btard.network.join import JoinLine
from btard.network.own_addresses import own_addresses
from btard.network.record import MAX_ADDRESSES
from btard.node.arrival import Arrival
from btard.node.assembly import assemble
from btard.node.door import Door
from btard.node.footing import find_footing
from btard.node.kept_store import KeptStore
from btard.node.key import hold_key
from btard.node.listing import Listing
from btard.node.node import LINGER_DELTAS
from btard.node.options import PeerOptions
from btard.node.recorder import Recorder
from btard.node.rendezvous import scope_of
from btard.node.resumption import Resumption, lacking, open_run
from btard.node.worker import ThreadWorker
from btard.run.config import RunConfig
from btard.run.events import Begun, Emit, Ended, Noted
from btard.training.engine import Engine
from btard.training.store import BlobStore
from btard.types import PeerId


async def run_peer(options: PeerOptions, *, emit: Emit) -> Ended:
    """Join a run, take part until the end, and return how it ended. `emit` gets each event.

    A run whose task is an import string `module:attribute` is joined only if this process has loaded that
    string before (`load_recipe`). Raises BtardError if the options are wrong, joining fails or the run cannot
    be recorded. Everything that this machine can check is checked before it asks for a seat."""
    options.check()
    settle()
    raise_descriptors()
    with contextlib.ExitStack() as stack:
        identity = stack.enter_context(hold_key(options.key))
        run_dir = earlier = None
        if options.out is not None and options.resume:
            run_dir = stack.enter_context(RunDirectory.resume(options.out))
            earlier = open_run(run_dir, identity, options.key)
        elif options.out is not None:
            run_dir = stack.enter_context(_make_directory(options.out, options.replace))
        return await _Peer(options, identity, run_dir, earlier, emit).run()


def _make_directory(out: Path, replace: bool) -> RunDirectory:
    if RunDirectory(out).ledger.exists() and not replace:
        raise HaltedError(
            f"{out} holds the ledger of a run that was begun: go on with it by --resume, "
            "or choose another --out to join another run"
        )
    return RunDirectory.create(out, replace)


@dataclass(slots=True)
class _Peer:
    """A peer on its way through a run."""

    options: PeerOptions
    identity: Identity
    run_dir: RunDirectory | None
    earlier: Resumption | None
    emit: Emit
    noted: set[str] = field(default_factory=set)

    async def run(self) -> Ended:
        options, me = self.options, self.identity.peer
        looking = f"peer {me.hex()[:16]}: looking for {options.join} for up to {options.wait_s:g} s"
        self._note(looking)
        join = JoinLine.parse(options.join)
        arrival = Arrival(join, self.identity, options.wait_s, self._note, os.urandom)
        config = await arrival.find_run(options.expected)
        if self.earlier is not None:
            self.earlier.check(config)
        check_descriptors(Limits().descriptors(config.peers))
        # Before the others count on this peer: importing, and making optimizers, takes seconds.
        store = BlobStore(1) if self.run_dir is None else KeptStore(self.run_dir.blobs)
        engine = config.engine(store, options.device)
        await asyncio.to_thread(import_hivemind)
        door = Door(arrival.told)
        transport = GrpcTransport(
            self.identity,
            config.digest,
            allowed=door.allows,
            entropy=os.urandom,
            jitter=lambda: int.from_bytes(os.urandom(4), "little") / 2**32,
            host=options.host,
            port=options.port,
            introduce=door.introduce,
        )
        listing: Listing | None = None
        try:
            await transport.start(door)
            addresses = self._reachable(transport.port, arrival.local)
            certificate, sequence = transport.certificate.der, int(1000 * time.time())
            record = PeerRecord(config.digest, me, sequence, addresses, certificate, libp2p_id(me))
            assert arrival.introduction is not None
            listing = Listing(self.identity, scope_of(config, join.bootstrap), record, self._note)
            listing.start(arrival.introduction.directory, options.host)
            told = JoinLine(addresses[0], me, join.bootstrap)
            joined = (
                f"joined the run {config.digest.hex()[:16]} ({config.task}) at {', '.join(addresses)}: "
                f"waiting for its {config.peers} peers; this peer, too, tells others of the run: {told}"
            )
            header, records = await arrival.take_seat(
                config, record, options.invite, lambda: self._note_once(joined), lambda: listing.directory
            )
            listing.know(header.members)
            door.begin(header, arrival.sealed)
            return await self._take_part(config, header, engine, transport, door, records)
        finally:
            closing = [transport.stop()] if listing is None else [transport.stop(), listing.close()]
            await asyncio.gather(*closing)

    def _note(self, text: str) -> None:
        self.emit(Noted(text=text))

    def _note_once(self, text: str) -> None:
        if text not in self.noted:
            self.noted.add(text)
            self._note(text)

    def _reachable(self, port: int, local: str) -> tuple[str, ...]:
        """The addresses to publish, the best first: as announced, as listened on, or this machine's own."""
        options = self.options
        return (options.announce or own_addresses(options.host, port, (local,)))[:MAX_ADDRESSES]

    async def _take_part(
        self,
        config: RunConfig,
        header: LedgerHeader,
        engine: Engine,
        transport: GrpcTransport,
        door: Door,
        records: dict[PeerId, PeerRecord],
    ) -> Ended:
        members = header.members
        options, identity, run_dir = self.options, self.identity, self.run_dir
        self.emit(Begun.of(config, members, identity.peer))
        adversary = None
        if options.adversary is not None:
            adversary = options.adversary.make(identity, identity.seed, options.colluders)
        footing = find_footing(
            identity,
            options.key,
            config,
            header,
            engine,
            run_dir=run_dir,
            earlier=self.earlier,
            adversary=adversary,
            entropy=os.urandom,
        )
        if self.earlier is not None:
            self._note(self.earlier.describe(footing.revived))
        if footing.silence is not None:
            self._note(footing.silence)
        worker = ThreadWorker()
        node = assemble(
            identity,
            footing.secret,
            config,
            footing.state,
            transport,
            worker,
            records,
            now=asyncio.get_running_loop().time(),
            ledger=footing.ledger,
            votes=footing.votes,
            journal=footing.journal,
            revived=footing.revived,
            adversary=adversary,
            engine=engine,
            clock=time.perf_counter,
        )
        every = options.evaluate_every
        recorder = Recorder(
            engine,
            worker,
            self.emit,
            steps=config.steps,
            evaluate_every=every,
            run_dir=run_dir,
            checkpoint_every=options.checkpoint_every,
            keep_checkpoints=options.keep_checkpoints,
            resumable=lambda: lacking(engine.store, footing.journal),
        )
        door.node = node
        over = False
        try:
            ended = await recorder.run(node)
            if ended.outcome == "finished":
                await asyncio.sleep(LINGER_DELTAS * config.protocol.delta_s)
            over = ended.outcome in ("finished", "seat_lost")
            return ended
        finally:
            node.halt()
            footing.close(over)
