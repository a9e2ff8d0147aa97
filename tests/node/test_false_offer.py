"""Offers of blobs that a node holds already, with sizes that they do not have: over memory and over gRPC.

One Byzantine peer of five once removed an honest one so: "withheld aggregate", with no fault recorded.
"""

from __future__ import annotations

import asyncio

import pytest

from btard.crypto import digest
from btard.network.frames import UNWANTED, pack_offer
from btard.node.assembly import assemble
from btard.node.worker import InlineWorker
from btard.protocol.messages import AGGREGATE
from btard.protocol.outputs import FINISHED
from btard.protocol.record import STEP
from btard.protocol.state import RosterState
from btard.swarm.spec import SwarmSpec
from btard.swarm.virtual_time import run_virtually
from btard.types import Digest, PeerId
from tests.network.rigs import GrpcRig, identity
from tests.network.test_grpc_hostile import greet, stream_to
from tests.node.nodes import Nodes, a_run


class LateAndLying:
    """Peer 4 sends its aggregate of step 1 two seconds late; meanwhile it offers peer 3's, which all hold, as
    `claimed` bytes long: the call that every listener makes on an offer."""

    def __init__(self, nodes: Nodes, claimed: int) -> None:
        self._nodes, self._claimed, self.offers = nodes, claimed, 0
        self._attacker = nodes.nodes[4]
        self._push, self._attacker.transport.push = self._attacker.transport.push, self.push  # type: ignore[method-assign]

    def push(self, to: PeerId, name: Digest, data: bytes) -> None:
        attempt = self._attacker.machine.attempt
        said = attempt.board.posts[AGGREGATE].get(attempt.seat)  # type: ignore[arg-type]
        if attempt.state.step != 1 or said is None or said.payload.aggregate != name:
            self._push(to, name, data)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, self.offer)
        loop.call_later(2.0, self._push, to, name, data)

    def offer(self) -> None:
        board = self._attacker.machine.attempt.board
        target = self._nodes.nodes[3].transport.me
        name = board.posts[AGGREGATE][board.seat_of[target]].payload.aggregate
        for victim in self._nodes.nodes[:3]:
            self.offers += 1
            assert not victim.wants(self._attacker.transport.me, name, self._claimed)


@pytest.mark.parametrize("claimed", [0, 4, 16, 1 << 40])
def test_false_sizes_of_held_blobs_cost_nobody_a_step(claimed: int) -> None:
    async def main() -> tuple[Nodes, LateAndLying, list[str]]:
        nodes = Nodes(SwarmSpec(a_run(5, 3)))
        liar = LateAndLying(nodes, claimed)
        return nodes, liar, [ended.reason for ended in await nodes.run()]

    nodes, liar, reasons = run_virtually(main())
    assert liar.offers > 0
    assert reasons == [FINISHED] * 5
    assert [progress.entry.record.kind for progress in nodes.progress[0]] == [STEP] * 3


@pytest.mark.parametrize("claimed", [0, 4, 1 << 20])
async def test_a_held_blob_keeps_its_true_size_whatever_an_offer_over_grpc_claims(claimed: int) -> None:
    rig, config = GrpcRig(), a_run(4)
    members = [identity(number).peer for number in (1, 2, 3, 4)]
    transport = rig.transport(1, allowed=lambda peer: peer in members)
    genesis = RosterState.genesis(config.digest, config.protocol, members)
    node = assemble(identity(1), config, genesis, transport, InlineWorker(), {}, now=0.0)
    data = bytes(12)  # 3 of 12 coordinates: a part of four
    name = digest("blob", data)
    try:
        await transport.start(node)
        node.blob(members[1], name, data)
        async with stream_to(transport, "blob") as stream:
            await greet(transport, stream, 2, "blob")
            await stream.write(pack_offer(name, claimed))
            assert await stream.read() == UNWANTED
        assert node.machine.attempt._blobs.fits(name, 0, 4)
        assert node.faults == {}
    finally:
        node.halt()
        await rig.close()
