"""A swarm of real processes on this machine: a bootstrap, and peers that join it over the network.

Each child runs the command that a volunteer runs, and writes its events in JSON lines.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import ValidationError

from btard.crypto import Identity, digest
from btard.errors import NetworkError
from btard.run.events import Announced, Emit, Ended, Event, Failed, Gathered, Noted, read_event
from btard.swarm.children import Child
from btard.swarm.spec import SwarmSpec


async def run_processes(
    spec: SwarmSpec, run_dir: Path, *, emit: Emit, evaluate_every: int = 1
) -> tuple[Ended, ...]:
    """Run the swarm to its end; return the last event of each peer that came to one, by index. The first
    peer, which is honest, keeps ledger, checkpoints and model in `run_dir`. Its events go to `emit`, and the
    last event of each other peer.

    Raises NetworkError with the reason if the bootstrap or an honest peer fails."""
    with tempfile.TemporaryDirectory(prefix="btard-swarm-") as scratch:
        swarm = _Swarm(spec, Path(scratch), run_dir, emit, evaluate_every)
        try:
            return await swarm.run()
        finally:
            await swarm.stop()


class _Swarm:
    def __init__(
        self, spec: SwarmSpec, scratch: Path, run_dir: Path, emit: Emit, evaluate_every: int
    ) -> None:
        self._spec = spec
        self._scratch = scratch
        self._run_dir = run_dir
        self._emit = emit
        self._evaluate_every = evaluate_every
        self._children: list[Child] = []

    async def run(self) -> tuple[Ended, ...]:
        spec = self._spec
        self._emit(Gathered(present=0, seats=spec.config.peers))
        configuration = self._scratch / "run.json"
        configuration.write_bytes(spec.config.to_bytes())
        key = self._key("bootstrap", digest("swarm bootstrap", spec.config.digest))
        bootstrap = await self._start("bootstrap", "--config", str(configuration), "--key", str(key))
        events = self._events("the bootstrap", bootstrap)
        announced = await self._announced(bootstrap, events)
        gathering = asyncio.ensure_future(self._pass_on(events))
        peers = [
            await self._start(*self._peer_arguments(index, announced.addresses[0]))
            for index in range(spec.config.peers)
        ]
        lives = [asyncio.ensure_future(self._follow(index, child)) for index, child in enumerate(peers)]
        await asyncio.gather(*(life for index, life in enumerate(lives) if spec.kind(index) is None))
        # An adversary may have shut itself out and wait for ever: it has had its chance to come to an end.
        await self.stop()
        await gathering
        ends = await asyncio.gather(*lives)
        return tuple(end for end in ends if end is not None)

    def _key(self, name: str, seed: bytes) -> Path:
        path = self._scratch / f"{name}.key"
        Identity.load_or_create(path, lambda _: seed)
        return path

    def _peer_arguments(self, index: int, address: str) -> tuple[str, ...]:
        spec = self._spec
        key = self._key(f"peer-{index}", spec.key_seed(index))
        arguments = ["peer", "--join", address, "--task", spec.config.task, "--key", str(key)]
        arguments += ["--evaluate-every", str(self._evaluate_every if index == 0 else 0)]
        arguments += ["--out", str(self._run_dir)] if index == 0 else ["--no-out"]
        if (kind := spec.kind(index)) is not None:
            arguments += ["--byzantine", kind.starting(spec.attack_start).text]
            arguments += ["--colluders", ",".join(peer.hex() for peer in spec.colluders)]
        return tuple(arguments)

    async def _start(self, *arguments: str) -> Child:
        child = await Child.start((*arguments, "--host", "127.0.0.1", "--json", "--tied"))
        self._children.append(child)
        return child

    async def _events(self, name: str, child: Child) -> AsyncIterator[Event]:
        """The events of a child; a line that is none is passed on as text."""
        async for line in child.output:
            text = line.decode(errors="replace").rstrip("\n")
            try:
                yield read_event(text)
            except ValidationError:
                self._emit(Noted(text=f"{name}: {text}"))

    async def _announced(self, bootstrap: Child, events: AsyncIterator[Event]) -> Announced:
        reason = None
        async for event in events:
            if isinstance(event, Announced):
                self._emit(event)
                return event
            reason = event.reason if isinstance(event, Failed) else reason
        raise NetworkError(f"the bootstrap did not start: {reason or await bootstrap.last_words()}")

    async def _pass_on(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if isinstance(event, Gathered):
                self._emit(event)

    async def _follow(self, index: int, child: Child) -> Ended | None:
        """Read a peer's events to their end."""
        ended: Ended | None = None
        reason = None
        async for event in self._events(f"peer-{index}", child):
            if isinstance(event, Failed):
                reason = event.reason
            elif isinstance(event, Ended) and event.outcome != "interrupted":
                ended = event
                self._emit(event)
            elif index == 0 and not isinstance(event, Noted):
                self._emit(event)
        if ended is None and self._spec.kind(index) is None:
            raise NetworkError(f"peer-{index} failed: {reason or await child.last_words()}")
        return ended

    async def stop(self) -> None:
        """End the children that still run: by the tie first, by force after a while."""
        for child in self._children:
            child.ask_to_end()
        await asyncio.gather(*(child.end() for child in self._children))
