"""What a node does about a member that its transport reads slowly."""

from __future__ import annotations

import pytest

from btard.node.driver import NOTHING
from btard.protocol.messages import GRADIENT, Need
from btard.swarm.spec import SwarmSpec
from btard.types import Fault, FaultKind, PeerId
from btard.wire import decode
from tests.node.nodes import Nodes, a_plan, virtually


@pytest.mark.parametrize(("kind", "times"), [(FaultKind.FLOOD, 1), (FaultKind.MALFORMED, 0)])
@virtually
async def test_what_a_flood_holds_up_is_asked_of_all_others_once_and_the_fault_is_counted(
    kind: FaultKind, times: int
) -> None:
    node, *others = Nodes(SwarmSpec(a_plan())).nodes
    sent: list[tuple[PeerId, bytes]] = []
    node.transport.send = lambda to, raw: sent.append((to, raw))  # type: ignore[method-assign]
    node.driver.begin(0.0)
    flooder = others[0].transport.me
    for _ in range(3):
        node.fault(Fault(flooder, kind, "too much"))
    needs = [(to, decode(Need, raw)) for to, raw in sent]
    seat = sorted(node.machine.state.members).index(flooder)
    expected = [(other.transport.me, Need(0, 0, GRADIENT, (seat,))) for other in others]
    assert sorted(needs, key=lambda need: need[0]) == sorted(expected * times, key=lambda need: need[0])
    assert node.faults[flooder, kind] == 3


@virtually
async def test_before_the_first_step_a_flood_is_only_counted() -> None:
    node, other, *_ = Nodes(SwarmSpec(a_plan())).nodes
    assert node.driver.held_up(other.transport.me) is NOTHING
    node.fault(Fault(other.transport.me, FaultKind.FLOOD, "too much"))
    assert node.faults.total() == 1


@virtually
async def test_messages_without_bytes_fill_no_memory_before_the_first_step() -> None:
    node, other, *_ = Nodes(SwarmSpec(a_plan())).nodes
    for _ in range(20_000):
        node.control(other.transport.me, b"")
    assert len(node.driver._waiting) < 10_000
