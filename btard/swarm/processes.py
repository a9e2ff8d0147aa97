"""A swarm of real processes on this machine: a bootstrap, and peers that join it over the network.

Each child runs the same command that a volunteer would, and tells its progress in JSON lines. A child
ends with its parent, however that ends: it's tied to the pipe that is its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

from btard.crypto import Identity, digest
from btard.errors import NetworkError
from btard.run.report import EndReport, StepReport
from btard.swarm.spec import SwarmSpec

STOP_S = 2.0
"""How long a child may take to clean up before it's killed."""

LINE_BYTES_MAX = 1 << 20


async def run_processes(
    spec: SwarmSpec,
    run_dir: Path,
    *,
    emit: Callable[[StepReport], None],
    say: Callable[[str], None],
    evaluate_every: int = 1,
) -> tuple[EndReport, ...]:
    """Run the swarm to its end; the reports of the peers that came to one, by index. The first peer, which
    is honest, keeps ledger and checkpoints in `run_dir`, and its records go to `emit`.

    Raises NetworkError with what the child said where the bootstrap or an honest peer fails."""
    with tempfile.TemporaryDirectory(prefix="btard-swarm-") as scratch:
        swarm = _Swarm(spec, Path(scratch), run_dir, emit, say, evaluate_every)
        try:
            return await swarm.run()
        finally:
            await swarm.stop()


class _Swarm:
    def __init__(
        self,
        spec: SwarmSpec,
        scratch: Path,
        run_dir: Path,
        emit: Callable[[StepReport], None],
        say: Callable[[str], None],
        evaluate_every: int,
    ) -> None:
        self._spec = spec
        self._scratch = scratch
        self._run_dir = run_dir
        self._emit = emit
        self._say = say
        self._evaluate_every = evaluate_every
        self._children: list[Process] = []
        self._begun = 0

    async def run(self) -> tuple[EndReport, ...]:
        spec = self._spec
        configuration = self._scratch / "run.json"
        configuration.write_bytes(spec.config.to_bytes())
        seed = digest("swarm bootstrap", spec.config.digest)
        key = self._key("bootstrap", seed)
        bootstrap = await self._start("bootstrap", "--run", str(configuration), "--key", str(key))
        address = await self._address(bootstrap)
        self._say(f"bootstrap at {address}")
        peers = [
            await self._start(*self._peer_arguments(index, address)) for index in range(spec.config.peers)
        ]
        self._say(f"{len(peers)} peers are starting")
        lives = [asyncio.ensure_future(self._follow(index, child)) for index, child in enumerate(peers)]
        await asyncio.gather(*(life for index, life in enumerate(lives) if spec.kind(index) is None))
        # An adversary may have shut itself out, and wait for ever: it has had its chance to come to an end.
        await self.stop()
        ends = await asyncio.gather(*lives)
        return tuple(end for end in ends if end is not None)

    def _key(self, name: str, seed: bytes) -> Path:
        path = self._scratch / f"{name}.key"
        Identity.load_or_create(path, lambda _: seed)
        return path

    def _peer_arguments(self, index: int, address: str) -> tuple[str, ...]:
        spec = self._spec
        key = self._key(f"peer-{index}", spec.key_seed(index))
        arguments = ["peer", "--join", address, "--key", str(key)]
        arguments += ["--evaluate-every", str(self._evaluate_every if index == 0 else 0)]
        if index == 0:
            arguments += ["--run-dir", str(self._run_dir)]
        if (kind := spec.kind(index)) is not None:
            arguments += ["--byzantine", kind.starting(spec.attack_start).text]
            arguments += ["--colluders", ",".join(peer.hex() for peer in spec.colluders)]
        return tuple(arguments)

    async def _start(self, *arguments: str) -> Process:
        # The peers share this machine's cores: more threads each would only get in each other's way.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "btard", *arguments, "--json", "--tied"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_BYTES_MAX,
            env=environment,
            start_new_session=True,
        )
        self._children.append(child)
        return child

    async def _address(self, bootstrap: Process) -> str:
        assert bootstrap.stdout is not None
        line = await bootstrap.stdout.readline()
        if not line:
            raise NetworkError(f"the bootstrap did not start: {await _last_words(bootstrap)}")
        return str(json.loads(line)["address"])

    async def _follow(self, index: int, child: Process) -> EndReport | None:
        """Read a peer's lines to their end."""
        assert child.stdout is not None
        assert child.stderr is not None
        errors = asyncio.create_task(child.stderr.read())
        end: EndReport | None = None
        async for line in child.stdout:
            values = json.loads(line)
            if "begun" in values:
                self._begun += 1
                if self._begun == self._spec.config.peers:
                    self._say("all have joined: training begins")
            elif "blob_bytes" in values:
                end = EndReport(**values)
            elif "index" in values and index == 0:
                self._emit(StepReport.from_json(line.decode()))
        words = (await errors).decode(errors="replace").strip()
        await child.wait()
        if end is None and self._spec.kind(index) is None:
            raise NetworkError(
                f"peer-{index} failed: {words.splitlines()[-1] if words else child.returncode}"
            )
        return end

    async def stop(self) -> None:
        """End what still runs: by the tie first, by force after a while."""
        running = [child for child in self._children if child.returncode is None]
        for child in running:
            if child.stdin is not None:
                child.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        if running:
            await asyncio.wait([asyncio.ensure_future(child.wait()) for child in running], timeout=STOP_S)
        for child in running:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()


async def _last_words(child: Process) -> str:
    assert child.stderr is not None
    words = (await child.stderr.read()).decode(errors="replace").strip()
    return words.splitlines()[-1] if words else f"exit status {await child.wait()}"
