"""Offers of blobs that a node holds already, with sizes that they do not have: over memory and over gRPC.

One Byzantine peer of five once removed an honest one so: "withheld aggregate", with no fault recorded.
"""

from __future__ import annotations

import asyncio

import pytest

from btard.crypto import digest
from btard.machine import Adopt
from btard.network.frames import UNWANTED, pack_offer
from btard.node.assembly import assemble
from btard.node.driver import WAITING_BYTES_MAX, WAITING_OVERHEAD_BYTES, Offer, Work
from btard.node.worker import InlineWorker
from btard.protocol.messages import AGGREGATE
from btard.protocol.outputs import FINISHED
from btard.protocol.record import CLOSE, STEP
from btard.protocol.state import RosterState
from btard.swarm.spec import SwarmSpec
from btard.swarm.virtual_time import run_virtually
from btard.types import Digest, PeerId
from tests.network.hostile import greet, stream_to
from tests.network.rigs import GrpcRig, identity
from tests.node.nodes import Nodes, a_plan, a_run
from tests.rig import Peer, Rig


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
        nodes = Nodes(SwarmSpec(a_plan(5, 3)))
        liar = LateAndLying(nodes, claimed)
        return nodes, liar, [ended.reason for ended in await nodes.run()]

    nodes, liar, reasons = run_virtually(main())
    assert liar.offers > 0
    assert reasons == [FINISHED] * 5
    assert [progress.entry.record.kind for progress in nodes.progress[0]] == [*[STEP] * 3, CLOSE]


@pytest.mark.parametrize("claimed", [0, 4, 1 << 20])
async def test_a_held_blob_keeps_its_true_size_whatever_an_offer_over_grpc_claims(claimed: int) -> None:
    rig, config = GrpcRig(), a_run(4)
    members = [identity(number).peer for number in (1, 2, 3, 4)]
    transport = rig.transport(1, allowed=lambda peer: peer in members)
    genesis = RosterState.genesis(config.digest, config.protocol, members, config.steps)
    node = assemble(identity(1), bytes(32), config, genesis, transport, InlineWorker(), {}, now=0.0)
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


class ReofferedWhileAdopting(Rig):
    """Seat 3, which is Byzantine, offers every peer all that its store has, between the end of a step and the
    moment in which the store drops what the step left."""

    offers = 0

    def carry(self, peer: Peer, work: Work) -> None:
        if any(isinstance(effect, Adopt) for effect in work.effects) and peer.seat != 3:
            for name, data in list(peer.driver.store._blobs.items()):
                if peer.driver.offered(self.peers[3].name, name, len(data)) is Offer.HELD:
                    self.offers += 1
                    super().carry(peer, peer.driver.held(name, self.now))
        super().carry(peer, work)
        assert all(name in peer.driver.store for name in peer.machine.inventory)


def test_a_blob_that_is_offered_again_while_its_step_ends_is_kept_or_forgotten_by_all() -> None:
    rig = ReofferedWhileAdopting(4, 4).run()
    assert isinstance(rig, ReofferedWhileAdopting)
    assert rig.offers > 0
    assert [record.kind for record in rig.agreed()] == [*[STEP] * 4, CLOSE]


def test_no_clock_runs_before_the_first_step_whatever_is_said_before() -> None:
    rig = Rig(3, 1)
    for peer in rig.peers:
        peer.driver.received(rig.peers[0].name, b"noise", 0.0)
        assert peer.driver.wake is None
    for peer in rig.peers:
        peer.driver.begin(60.0)
        assert peer.driver.wake is not None
        assert peer.driver.wake > 60.0


def test_messages_before_the_first_step_are_bounded_in_bytes_for_each_sender() -> None:
    peer = Rig(3, 1).peers[0]
    flooder, other = PeerId(bytes(32)), PeerId(bytes([1]) * 32)
    for _ in range(100):
        peer.driver.received(flooder, bytes(2**18), 0.0)
    peer.driver.received(other, b"noise", 0.0)
    faults = [fault.peer for fault in peer.driver.begin(1.0).faults]
    assert faults.count(flooder) == WAITING_BYTES_MAX // (2**18 + WAITING_OVERHEAD_BYTES)
    assert faults.count(other) == 1
