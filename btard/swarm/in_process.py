"""A whole swarm in one process: real nodes on a memory transport, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from btard.ledger.directory import RunDirectory
from btard.ledger.header import LedgerHeader
from btard.network import MemoryHub, MemoryTransport, PeerRecord
from btard.node.assembly import assemble
from btard.node.end import end_report
from btard.node.node import Node
from btard.node.recorder import Recorder
from btard.node.worker import InlineWorker
from btard.protocol.state import RosterState
from btard.run.report import EndReport, StepReport
from btard.swarm.spec import SwarmSpec
from btard.swarm.virtual_time import run_virtually

LATENCY_S = 0.001
"""Of every message and blob: what matters is that time passes, not how much."""


def run_in_process(
    spec: SwarmSpec,
    run_dir: RunDirectory,
    emit: Callable[[StepReport], None] = lambda _: None,
    evaluate_every: int = 1,
) -> tuple[EndReport, ...]:
    """Run the swarm until every honest peer has come to an end; the reports of those that did.

    The first peer, which is honest, keeps the
    ledger and the checkpoints, and evaluates."""
    return run_virtually(_run(spec, run_dir, emit, evaluate_every))


async def _run(
    spec: SwarmSpec, run_dir: RunDirectory, emit: Callable[[StepReport], None], evaluate_every: int
) -> tuple[EndReport, ...]:
    def report(step: StepReport) -> None:
        run_dir.add_metrics(step)
        emit(step)

    hub = MemoryHub(latency_s=LATENCY_S)
    config = spec.config
    genesis = RosterState.genesis(config.digest, config.protocol, spec.peers)
    records = {peer: PeerRecord(config.digest, peer, 0, (), b"") for peer in spec.peers}
    nodes: list[Node] = []
    recorder: Recorder | None = None
    for index, peer in enumerate(spec.peers):
        node = assemble(
            spec.identity(index),
            config,
            genesis,
            MemoryTransport(hub, peer),
            InlineWorker(),
            records,
            now=0.0,
            ledger=run_dir.create_ledger(LedgerHeader.of(config, genesis.members)) if index == 0 else None,
            adversary=spec.adversary(index),
        )
        if index == 0:
            recorder = Recorder(
                node.engine,
                node.worker,
                report,
                steps=config.steps,
                evaluate_every=evaluate_every,
                checkpoints=run_dir.checkpoints,
            )
            node.progress = recorder
        nodes.append(node)
        await node.transport.start(node)
    try:
        lives = [asyncio.ensure_future(node.run()) for node in nodes]
        await asyncio.gather(*(life for i, life in enumerate(lives) if spec.kind(i) is None))
        assert recorder is not None
        await recorder.drain()
        # An adversary may have shut itself out, and wait for ever: only those that came to an end report it.
        ended = [(node, life) for node, life in zip(nodes, lives, strict=True) if life.done()]
        return tuple(end_report(node, life.result()) for node, life in ended)
    finally:
        for node in nodes:
            node.halt()
            await node.transport.stop()
