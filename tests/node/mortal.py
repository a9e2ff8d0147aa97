"""A swarm of real nodes, files and all, whose processes all die at one instant, and which is taken up again.

Death comes at any point at which something leaves a process: a message, a write to a file. Nothing after it
happens, and nothing that was on its way arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from btard.errors import HaltedError
from btard.ledger.directory import RunDirectory
from btard.ledger.file import LedgerFile
from btard.ledger.header import LedgerHeader
from btard.network import MemoryHub, MemoryTransport, PeerRecord
from btard.node.assembly import assemble
from btard.node.footing import Footing, find_footing
from btard.node.journal import Journal
from btard.node.kept_store import KeptStore
from btard.node.node import Node
from btard.node.recorder import Recorder
from btard.node.resumption import open_run
from btard.node.worker import InlineWorker
from btard.run.events import Ended, Event
from btard.swarm.spec import SwarmSpec
from btard.swarm.virtual_time import VirtualTimeLoop
from btard.types import Digest, PeerId
from btard.wire import Claim, read_claim

T = TypeVar("T")


class Killed(KeyboardInterrupt):
    """All processes die. No event loop catches it."""


@dataclass
class Fate:
    """Counts what processes do, and kills them at number `at`."""

    at: int | None = None
    done: int = 0

    def tick(self) -> None:
        self.done += 1
        if self.done == self.at:
            raise Killed


@dataclass
class Swarm:
    """The peers of `spec`, whose files lie in `folder`. `signed` has the digests of what each peer signed,
    over all lives; `events` what each peer reported; `silent` are the peers that did not dare to speak."""

    spec: SwarmSpec
    folder: Path
    checkpoint_every: int = 3
    signed: dict[tuple[PeerId, int, int, str, bytes], set[Digest]] = field(default_factory=dict)
    events: dict[int, list[Event]] = field(default_factory=dict)
    silent: set[int] = field(default_factory=set)

    def run_dir(self, index: int) -> Path:
        return self.folder / f"peer-{index}"

    def key(self, index: int) -> Path:
        return self.folder / f"peer-{index}.key"

    def live(self, kill_at: int | None = None) -> list[Ended] | None:
        """Begin, or go on, until the end; None if all were killed before."""
        fate = Fate(kill_at)
        try:
            with hooked(fate):
                return run_to_death(self._live(fate))
        except Killed:
            return None
        finally:
            self.ticks = fate.done

    async def _live(self, fate: Fate) -> list[Ended]:
        hub = MemoryHub(latency_s=0.001)
        with ExitStack() as stack:
            lives = {}
            for index, peer in enumerate(self.spec.peers):
                try:
                    recorder, node = await self._peer(index, Witness(hub, peer, self, fate), stack)
                except HaltedError:  # it had lost its seat
                    assert self.spec.kind(index) is not None
                    continue
                lives[index] = asyncio.ensure_future(recorder.run(node))
            await asyncio.gather(*(life for index, life in lives.items() if self.spec.kind(index) is None))
            return [life.result() for life in lives.values() if life.done()]

    async def _peer(self, index: int, transport: MemoryTransport, stack: ExitStack) -> tuple[Recorder, Node]:
        spec, config, path = self.spec, self.spec.config, self.run_dir(index)
        identity, adversary = spec.identity(index), spec.adversary(index)
        earlier = None
        if (path / "ledger.btard").exists():
            run_dir = stack.enter_context(RunDirectory.resume(path))
            earlier = open_run(run_dir, identity, self.key(index))
        else:
            run_dir = stack.enter_context(RunDirectory.create(path, replace=True))
        engine = config.engine(KeptStore(run_dir.blobs))
        footing: Footing = find_footing(
            identity,
            self.key(index),
            config,
            LedgerHeader.of(config, spec.peers),
            engine,
            run_dir=run_dir,
            earlier=earlier,
            adversary=adversary,
            entropy=lambda n: spec.secret(index),
        )
        stack.callback(footing.close, over=False)
        if footing.silence is not None:
            self.silent.add(index)
        worker = InlineWorker()
        node = assemble(
            identity,
            footing.secret,
            config,
            footing.state,
            transport,
            worker,
            {peer: PeerRecord(config.digest, peer, 0, (), b"") for peer in spec.peers},
            now=asyncio.get_running_loop().time(),
            ledger=footing.ledger,
            votes=footing.votes,
            journal=footing.journal,
            revived=footing.revived,
            adversary=adversary,
            engine=engine,
        )
        recorder = Recorder(
            engine,
            worker,
            self.events.setdefault(index, []).append,
            steps=config.steps,
            run_dir=run_dir,
            evaluate_every=1,
            checkpoint_every=self.checkpoint_every,
            keep_checkpoints=2,
            virtual=True,
        )
        await transport.start(node)
        return recorder, node


def run_to_death(main: Coroutine[Any, Any, T]) -> T:
    """Run in virtual time, and leave nothing behind if all are killed."""
    loop = VirtualTimeLoop()
    task = loop.create_task(main)
    try:
        return loop.run_until_complete(task)
    finally:
        while pending := asyncio.all_tasks(loop):
            for each in pending:
                each.cancel()
            with suppress(Killed):
                loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        if task.done() and not task.cancelled():
            task.exception()
        loop.close()


class Witness(MemoryTransport):
    """Notes what its peer signs, and dies with all others."""

    def __init__(self, hub: MemoryHub, me: PeerId, swarm: Swarm, fate: Fate) -> None:
        super().__init__(hub, me)
        self._swarm = swarm
        self._fate = fate

    def send(self, to: PeerId, raw: bytes) -> None:
        self._fate.tick()
        claim = read_claim(raw)
        if isinstance(claim, Claim) and claim.envelope.sender == self.me:
            said = claim.envelope
            what = said.payload if said.phase == "call" else b""  # one for each phase and dispute
            slot = (self.me, said.step, said.attempt, said.phase, what)
            self._swarm.signed.setdefault(slot, set()).add(claim.digest)
        super().send(to, raw)


@contextmanager
def hooked(fate: Fate) -> Iterator[None]:
    """Let fate look on whenever a file is written: before and after."""
    methods: list[tuple[type, str]] = [
        *((Journal, name) for name in ("begin", "event", "said")),
        (LedgerFile, "append"),
        (KeptStore, "hold"),
    ]
    real = {(kind, name): kind.__dict__[name] for kind, name in methods}

    def watched(method: Callable[..., object]) -> Callable[..., object]:
        def act(*arguments: object, **named: object) -> object:
            fate.tick()
            result = method(*arguments, **named)
            fate.tick()
            return result

        return act

    try:
        for (kind, name), method in real.items():
            setattr(kind, name, watched(method))
        yield
    finally:
        for (kind, name), method in real.items():
            setattr(kind, name, method)
