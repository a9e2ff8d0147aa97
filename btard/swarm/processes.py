"""A swarm of real processes on this machine: a bootstrap, and peers that join it over the network.

Each child runs the command that a volunteer runs, and writes its events in JSON lines.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from btard.crypto import Identity, digest
from btard.errors import NetworkError
from btard.run.events import Announced, Emit, Ended, Event, Failed, Gathered, Noted, read_event
from btard.swarm.children import Child
from btard.swarm.spec import SwarmSpec


async def run_processes(
    spec: SwarmSpec, run_dir: Path, *, emit: Emit, phases: bool = False
) -> tuple[Ended, ...]:
    """Run the swarm to its end; return the last event of each peer that came to one, by index. The first
    peer, which is honest, evaluates every step, and keeps ledger, checkpoints and model in `run_dir`. Its
    events go to `emit`, and the last event of each other peer. `phases`: also where it is each second.

    Raises NetworkError with the reason if the bootstrap or an honest peer fails."""
    with tempfile.TemporaryDirectory(prefix="btard-swarm-") as scratch:
        swarm = _Swarm(spec, Path(scratch), run_dir, emit, phases)
        try:
            return await swarm.run()
        finally:
            await swarm.stop()


@dataclass(slots=True)
class _Swarm:
    """`scratch` is a folder for keys and the plan."""

    spec: SwarmSpec
    scratch: Path
    run_dir: Path
    emit: Emit
    phases: bool
    children: list[Child] = field(default_factory=list)

    async def run(self) -> tuple[Ended, ...]:
        spec = self.spec
        self.emit(Gathered(present=0, seats=spec.plan.peers))
        plan = self.scratch / "plan.json"
        plan.write_bytes(spec.closed_plan.to_bytes())
        key = self._key("bootstrap", digest("swarm bootstrap", spec.plan.to_bytes()))
        bootstrap = await self._start("bootstrap", "--config", str(plan), "--key", str(key))
        events = self._events("the bootstrap", bootstrap)
        address = await self._address(bootstrap, events)
        gathering = asyncio.ensure_future(self._pass_on(events))
        peers = [await self._start(*self._peer(index, address)) for index in range(spec.plan.peers)]
        lives = [asyncio.ensure_future(self._follow(index, child)) for index, child in enumerate(peers)]
        await asyncio.gather(*(life for index, life in enumerate(lives) if spec.kind(index) is None))
        # An adversary may have shut itself out and wait for ever: it has had its chance to come to an end.
        await self.stop()
        await gathering
        ends = await asyncio.gather(*lives)
        return tuple(end for end in ends if end is not None)

    def _key(self, name: str, seed: bytes) -> Path:
        path = self.scratch / f"{name}.key"
        Identity.load_or_create(path, lambda _: seed)
        return path

    def _peer(self, index: int, address: str) -> list[str]:
        """Return the command of a peer."""
        spec = self.spec
        key = self._key(f"peer-{index}", spec.identity(index).seed)
        arguments = ["peer", "--join", address, "--task", spec.plan.task, "--key", str(key)]
        ours = ["--evaluate-every", "1", "--out", str(self.run_dir)]
        ours += ["--checkpoint-every", str(spec.checkpoint_every)]
        ours += ["--keep-checkpoints", str(spec.keep_checkpoints)]
        ours += ["--phases"] * self.phases
        arguments += ours if index == 0 else ["--evaluate-every", "0", "--no-out"]
        if (kind := spec.kind(index)) is not None:
            arguments += ["--byzantine", kind.starting(spec.attack_start).text]
            arguments += ["--colluders", ",".join(peer.hex() for peer in spec.colluders)]
        return arguments

    async def _start(self, *arguments: str) -> Child:
        child = await Child.start((*arguments, "--host", "127.0.0.1", "--json", "--tied"))
        self.children.append(child)
        return child

    async def _events(self, name: str, child: Child) -> AsyncIterator[Event]:
        """The events of a child; a line that is none is passed on as text."""
        async for line in child.output:
            text = line.decode(errors="replace").rstrip("\n")
            try:
                yield read_event(text)
            except ValidationError:
                self.emit(Noted(text=f"{name}: {text}"))

    async def _address(self, bootstrap: Child, events: AsyncIterator[Event]) -> str:
        reason = None
        async for event in events:
            if isinstance(event, Announced):
                self.emit(event)
                return event.addresses[0]
            reason = event.reason if isinstance(event, Failed) else reason
        raise NetworkError(f"the bootstrap did not start: {reason or await bootstrap.last_words()}")

    async def _pass_on(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if isinstance(event, Gathered):
                self.emit(event)

    async def _follow(self, index: int, child: Child) -> Ended | None:
        """Read a peer's events to their end."""
        ended: Ended | None = None
        reason = None
        async for event in self._events(f"peer-{index}", child):
            if isinstance(event, Failed):
                reason = event.reason
            elif isinstance(event, Ended) and event.outcome != "interrupted":
                ended = event
                self.emit(event)
            elif index == 0 and not isinstance(event, Noted):
                self.emit(event)
        if ended is None and self.spec.kind(index) is None:
            raise NetworkError(f"peer-{index} failed: {reason or await child.last_words()}")
        return ended

    async def stop(self) -> None:
        """End the children that still run: by the tie first, by force after a while."""
        for child in self.children:
            child.ask_to_end()
        await asyncio.gather(*(child.end() for child in self.children))
