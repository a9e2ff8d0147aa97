"""A whole swarm in one process: real nodes on a memory transport, in virtual time."""

from __future__ import annotations

import asyncio
from functools import partial

from btard.ledger.directory import RunDirectory
from btard.ledger.header import LedgerHeader
from btard.network import MemoryHub, MemoryTransport, PeerRecord
from btard.node.assembly import assemble
from btard.node.recorder import Recorder
from btard.node.worker import InlineWorker
from btard.protocol.state import RosterState
from btard.run.events import Begun, Emit, Ended
from btard.swarm.spec import SwarmSpec
from btard.swarm.virtual_time import run_virtually

LATENCY_S = 0.001
"""Of every message and blob, so that virtual time passes; how much does not matter."""


def run_in_process(
    spec: SwarmSpec, run_dir: RunDirectory, emit: Emit = lambda _: None, evaluate_every: int = 1
) -> tuple[Ended, ...]:
    """Run the swarm until it is over for every honest peer; return the last event of each peer that came to
    an end. The first peer, which is honest, keeps ledger, checkpoints and model, evaluates, and emits."""
    return run_virtually(_run(spec, run_dir, emit, evaluate_every))


async def _run(spec: SwarmSpec, run_dir: RunDirectory, emit: Emit, evaluate_every: int) -> tuple[Ended, ...]:
    hub = MemoryHub(latency_s=LATENCY_S)
    config = spec.config
    genesis = RosterState.genesis(config.digest, config.protocol, spec.peers, config.steps)
    records = {peer: PeerRecord(config.digest, peer, 0, (), b"") for peer in spec.peers}
    ledger = run_dir.create_ledger(LedgerHeader.of(config, genesis.members))
    nodes = [
        assemble(
            spec.identity(index),
            spec.secret(index),
            config,
            genesis,
            MemoryTransport(hub, peer),
            InlineWorker(),
            records,
            now=0.0,
            ledger=ledger if index == 0 else None,
            adversary=spec.adversary(index),
        )
        for index, peer in enumerate(spec.peers)
    ]
    first, *others = nodes
    recorder = partial(Recorder, steps=config.steps, virtual=True)
    recorders = [
        recorder(
            first.engine,
            first.worker,
            emit,
            evaluate_every=evaluate_every,
            run_dir=run_dir,
            checkpoint_every=spec.checkpoint_every,
            keep_checkpoints=spec.keep_checkpoints,
        ),
        *(recorder(node.engine, node.worker, lambda _: None) for node in others),
    ]
    for node in nodes:
        await node.transport.start(node)
    emit(Begun.of(config, genesis.members, spec.peers[0]).model_copy(update={"time": None}))
    try:
        pairs = zip(recorders, nodes, strict=True)
        lives = [asyncio.ensure_future(recorder.run(node)) for recorder, node in pairs]
        await asyncio.gather(*(life for i, life in enumerate(lives) if spec.kind(i) is None))
        # An adversary may have shut itself out and wait for ever: only peers at their end have a last event.
        return tuple(life.result() for life in lives if life.done())
    finally:
        for node in nodes:
            node.halt()
            await node.transport.stop()
