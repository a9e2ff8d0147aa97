"""Whole nodes on the memory transport, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import tests.ledger.runs  # the task "quadratic"
from btard.network import MemoryHub, MemoryTransport, PeerRecord
from btard.node.assembly import assemble
from btard.node.node import Node, Progress
from btard.node.votes import VoteLog
from btard.node.worker import InlineWorker
from btard.protocol.constants import ProtocolConfig
from btard.protocol.outputs import Ended
from btard.protocol.state import RosterState
from btard.run.config import RunConfig, RunPlan
from btard.run.events import InPhase
from btard.swarm.spec import SwarmSpec
from btard.swarm.virtual_time import run_virtually

assert tests.ledger.runs.PEERS

PROTOCOL = ProtocolConfig(tau=1.0, delta_max=100.0, validators=1, directions=2, delta_s=1.0, phase_s=10.0)


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in virtual time."""

    @wraps(test)
    def run(*args: Any, **named: Any) -> None:
        run_virtually(test(*args, **named))

    return run


def a_plan(peers: int = 4, steps: int = 3, protocol: ProtocolConfig = PROTOCOL) -> RunPlan:
    return RunPlan.create("quadratic", steps=steps, peers=peers, protocol=protocol)


def a_run(peers: int = 4, steps: int = 3, protocol: ProtocolConfig = PROTOCOL) -> RunConfig:
    return a_plan(peers, steps, protocol).begin(bytes(32))


class Nodes:
    """The nodes of a spec, one transport each; `late` peers appear so many seconds after the others."""

    def __init__(self, spec: SwarmSpec, late: dict[int, float] | None = None) -> None:
        self.hub = MemoryHub(latency_s=0.001)
        self.late = late or {}
        self.honest = spec.config.peers - len(spec.byzantine)
        self.progress: list[list[Progress]] = [[] for _ in range(spec.config.peers)]
        self.phases: list[InPhase] = []
        """What a recorded node has said about its phases."""
        self.spec = spec
        self.nodes = [
            self.make(index, spec.secret(index), MemoryTransport(self.hub, peer))
            for index, peer in enumerate(spec.peers)
        ]

    def make(
        self, index: int, secret: bytes, transport: MemoryTransport, votes: VoteLog | None = None
    ) -> Node:
        """A node that begins at genesis."""
        spec, config = self.spec, self.spec.config
        node = assemble(
            spec.identity(index),
            secret,
            config,
            RosterState.genesis(config.digest, config.protocol, spec.peers, config.steps),
            transport,
            InlineWorker(),
            {peer: PeerRecord(config.digest, peer, 0, (), b"") for peer in spec.peers},
            now=0.0,
            votes=votes,
            adversary=spec.adversary(index),
        )
        node.progress = self.progress[index].append
        return node

    async def start(self, index: int) -> Ended:
        loop = asyncio.get_running_loop()
        appears = loop.create_future()
        loop.call_later(self.late.get(index, 0.0), appears.set_result, None)
        await appears
        await self.nodes[index].transport.start(self.nodes[index])
        return await self.nodes[index].run()

    async def run(self) -> list[Ended]:
        """How it ended for each honest peer: a cheat may never learn that it's out."""
        tasks = [asyncio.ensure_future(self.start(index)) for index in range(len(self.nodes))]
        try:
            return await asyncio.gather(*tasks[: self.honest])
        finally:
            for task in tasks:
                task.cancel()
            for node in self.nodes:
                node.halt()
                await node.transport.stop()
