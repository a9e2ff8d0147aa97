"""Whom a peer lets in below the machine: the members of the moment, and those who have just left."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace

from btard.adversary import parse_adversaries
from btard.crypto import digest
from btard.network import GrpcTransport, PeerRecord
from btard.node.assembly import assemble
from btard.node.door import Door
from btard.node.node import LINGER_DELTAS, LINGER_MESSAGES, Node
from btard.node.worker import InlineWorker
from btard.protocol.outputs import FINISHED
from btard.protocol.record import LEAVE
from btard.protocol.state import RosterState
from btard.swarm.spec import SwarmSpec
from btard.types import FaultKind, PeerId
from tests.network.rigs import FAST, eventually
from tests.node.nodes import PROTOCOL, Nodes, a_plan, virtually


class Swarm:
    """Nodes behind the production door, on gRPC; the last one cheats."""

    def __init__(self) -> None:
        hasty = replace(PROTOCOL, delta_s=0.1, phase_s=1.0)
        self.spec = SwarmSpec(a_plan(4, 4, hasty), parse_adversaries("wrong_aggregate"), attack_start=1)
        self.transports: list[GrpcTransport] = []
        self.nodes: list[Node] = []

    async def start(self) -> None:
        spec = self.spec
        doors = [Door() for _ in spec.peers]
        for index, door in enumerate(doors):
            transport = GrpcTransport(
                spec.identity(index),
                spec.config.digest,
                allowed=door.allows,
                entropy=os.urandom,
                jitter=lambda: 0.5,
                limits=FAST,
            )
            await transport.start(door)
            self.transports.append(transport)
        records = {
            each.me: PeerRecord(
                spec.config.digest, each.me, 0, (f"127.0.0.1:{each.port}",), each.certificate.der
            )
            for each in self.transports
        }
        genesis = RosterState.genesis(spec.config.digest, spec.config.protocol, spec.peers, spec.config.steps)
        for index, door in enumerate(doors):
            door.node = assemble(
                spec.identity(index),
                spec.secret(index),
                spec.config,
                genesis,
                self.transports[index],
                InlineWorker(),
                records,
                now=asyncio.get_running_loop().time(),
                adversary=spec.adversary(index),
            )
            self.nodes.append(door.node)

    async def stop(self) -> None:
        for node, transport in zip(self.nodes, self.transports, strict=True):
            node.halt()
            await transport.stop()


async def test_banned_peer_loses_its_streams_and_finds_the_door_shut() -> None:
    swarm = Swarm()
    await swarm.start()
    runs = [asyncio.ensure_future(node.run()) for node in swarm.nodes]
    try:
        honest, cheat = swarm.nodes[0], swarm.transports[3]
        assert [(await run).reason for run in runs[:3]] == [FINISHED] * 3
        assert cheat.me not in honest.machine.state.members
        await eventually(lambda: not cheat.connected(swarm.transports[0].me))
        await eventually(lambda: honest.faults[cheat.me, FaultKind.NOT_A_MEMBER] > 0)
    finally:
        for run in runs:
            run.cancel()
        await swarm.stop()


def observed(nodes: Nodes, look: Callable[[Node], None]) -> None:
    """Have `look` called with the first node after each of its records."""
    node, append = nodes.nodes[0], nodes.nodes[0].progress

    def progress(made: object) -> None:
        append(made)  # type: ignore[arg-type]
        look(node)

    node.progress = progress


def removed(nodes: Nodes, kind: str) -> list[PeerId]:
    records = [each.entry.record for each in nodes.progress[0]]
    return [PeerId(removal.peer) for record in records for removal in record.removals if removal.kind == kind]


@virtually
async def test_peer_that_has_lost_its_seat_may_ask_for_a_moment() -> None:
    nodes = Nodes(SwarmSpec(a_plan(5, 12), parse_adversaries("silent"), attack_start=1))
    seen: list[bool] = []

    def look(node: Node) -> None:
        seen.extend(node.allows(peer) for peer in removed(nodes, LEAVE))

    observed(nodes, look)
    await nodes.run()
    assert seen[0]
    loop, node = asyncio.get_running_loop(), nodes.nodes[0]
    (left,) = removed(nodes, LEAVE)
    assert node.allows(left)  # steps take no time here: it is the same moment
    for _ in range(LINGER_MESSAGES):
        node.control(left, b"")
    assert not node.allows(left)
    handled = node.faults.total()
    node.control(left, b"")
    assert node.faults.total() == handled
    other = nodes.nodes[1]
    blob = digest("blob", b"of nobody")
    assert other.wants(node.transport.me, blob, 4), "of a member some blobs are taken unannounced"
    assert not other.wants(left, blob, 4)
    assert other.allows(left)
    over = loop.create_future()
    loop.call_later(LINGER_DELTAS * PROTOCOL.delta_s, over.set_result, None)
    await over
    assert not other.allows(left)
    assert other.allows(node.transport.me)
