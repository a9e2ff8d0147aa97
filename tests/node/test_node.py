"""A node: what memory it spends on whom, and whole swarms of nodes in virtual time."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from btard.adversary import parse_adversaries
from btard.codec import FP32
from btard.crypto import digest
from btard.errors import LedgerError, RunMismatchError
from btard.machine import Done, Update
from btard.node.driver import EARLY_PARTS
from btard.node.node import Node
from btard.protocol.outputs import FINISHED
from btard.protocol.record import ABORT, BAN, CLOSE, STEP, Entry
from btard.swarm.spec import SwarmSpec
from btard.swarm.virtual_time import run_virtually
from btard.types import Digest, Fault, FaultKind
from tests.node.nodes import Nodes, a_plan, virtually


def nodes() -> Nodes:
    """Nodes that have not begun."""
    return Nodes(SwarmSpec(a_plan()))


def swarm(
    *byzantine: str, peers: int = 4, steps: int = 3, late: dict[int, float] | None = None
) -> tuple[Nodes, list[str]]:
    """A swarm run to its end; why it ended for each honest peer."""

    async def main() -> tuple[Nodes, list[str]]:
        terms = parse_adversaries(",".join(byzantine))
        nodes = Nodes(SwarmSpec(a_plan(peers, steps), terms, attack_start=min(1, steps - 1)), late)
        return nodes, [ended.reason for ended in await nodes.run()]

    return run_virtually(main())


def ledgers(nodes: Nodes, indices: range) -> list[list[Entry]]:
    return [[progress.entry for progress in nodes.progress[index]] for index in indices]


# ---------------------------------------------------------------- swarms


def test_nodes_train_one_model_and_write_one_ledger() -> None:
    nodes, reasons = swarm()
    assert reasons == [FINISHED] * 4
    assert len({node.engine.model_digest for node in nodes.nodes}) == 1
    assert all(records == ledgers(nodes, range(4))[0] for records in ledgers(nodes, range(4)))
    assert not any(node.faults for node in nodes.nodes)


def test_a_peer_that_comes_late_is_waited_for() -> None:
    nodes, reasons = swarm(late={2: 5.0})
    assert reasons == [FINISHED] * 4
    assert [entry.record.kind for entry in ledgers(nodes, range(1))[0]] == [*[STEP] * 3, CLOSE]


def test_a_peer_that_never_comes_misses_a_step_and_does_not_hold_up_the_others() -> None:
    nodes, reasons = swarm("silent", peers=3)
    assert reasons == [FINISHED] * 2
    assert {r.kind for e in ledgers(nodes, range(1))[0] for r in e.record.removals} <= {"miss", "leave"}


@pytest.mark.parametrize("kind", ["false_reveal", "garbage", "wrong_aggregate"])
def test_a_cheat_is_banned_and_training_goes_on(kind: str) -> None:
    nodes, reasons = swarm(kind)
    assert reasons == [FINISHED] * 3
    bans = [r for e in ledgers(nodes, range(1))[0] for r in e.record.removals if r.kind == BAN]
    assert [removal.peer for removal in bans] == [nodes.nodes[3].transport.me]


def test_a_step_has_room_for_as_many_aborts_as_there_may_be_cheats() -> None:
    """Each abort makes all parts other parts; what came before is dropped."""
    cheats = ("equivocation", "false_reveal", "wrong_aggregate", "misreported_projection")
    nodes, reasons = swarm(*cheats, peers=9, steps=3)
    assert reasons == [FINISHED] * 5
    kinds = [entry.record.kind for entry in ledgers(nodes, range(1))[0]]
    assert kinds.count(STEP) == 3
    assert kinds.count(ABORT) >= 3


# ---------------------------------------------------------------- what memory a blob may cost


@virtually
async def test_of_blobs_that_nothing_announced_a_few_are_taken_from_each_sender() -> None:
    node, *others = nodes().nodes
    for sender in (other.transport.me for other in others):
        taken = [node.wants(sender, digest("blob", sender, bytes([k])), 12) for k in range(EARLY_PARTS + 3)]
        assert taken == [True] * EARLY_PARTS + [False] * 3


@pytest.mark.parametrize(("size", "wanted"), [(12, True), (16, False), (10, False), (1 << 30, False)])
@virtually
async def test_a_blob_of_more_than_a_part_or_of_broken_floats_is_refused(size: int, wanted: bool) -> None:
    # 12 parameters in 4 parts: 3 floats each.
    node, other, *_ = nodes().nodes
    assert node.wants(other.transport.me, digest("blob"), size) == wanted


@virtually
async def test_a_blob_that_is_held_already_is_not_wanted_again() -> None:
    node, other, *_ = nodes().nodes
    sender, data = other.transport.me, struct.pack("<3f", 1.0, 2.0, 3.0)
    name = digest("blob", data)
    assert node.wants(sender, name, len(data))
    node.blob(sender, name, data)
    assert not node.wants(sender, name, len(data))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@virtually
async def test_a_blob_that_is_not_finite_is_known_and_not_kept(value: float) -> None:
    node, other, *_ = nodes().nodes
    data, before = struct.pack("<3f", 1.0, value, 3.0), len(node.engine.store)
    node.blob(other.transport.me, digest("blob", data), data)
    assert len(node.engine.store) == before
    assert not node.machine.holds(digest("blob", data))


@virtually
async def test_an_empty_blob_is_no_part() -> None:
    node, other, *_ = nodes().nodes
    assert FP32.is_valid(b"")
    node.blob(other.transport.me, digest("blob", b""), b"")
    assert not node.machine.holds(digest("blob", b""))


# ---------------------------------------------------------------- trouble


@virtually
async def test_what_comes_before_the_start_waits_and_faults_are_counted_by_peer_and_kind() -> None:
    node, other, *_ = nodes().nodes
    sender = other.transport.me
    for _ in range(1000):
        node.control(sender, b"x")
    assert node.faults == {}
    for _ in range(3):
        node.fault(Fault(sender, FaultKind.FLOOD))
    assert node.faults == {(sender, FaultKind.FLOOD): 3}


async def run_with(break_it: Callable[[Node], None]) -> None:
    """Run nodes, the first of which is broken."""
    swarm = nodes()
    break_it(swarm.nodes[0])
    await swarm.run()


class _Full:
    """A disk without room."""

    def append(self, entry: Entry) -> None:
        raise LedgerError("no space left: free some")


@virtually
async def test_a_ledger_that_cannot_be_written_ends_the_run_with_its_own_error() -> None:
    with pytest.raises(LedgerError, match="no space left"):
        await run_with(lambda node: setattr(node, "_ledger", _Full()))


@virtually
async def test_a_peer_whose_model_is_not_the_swarms_says_so() -> None:
    def tamper(node: Node) -> None:
        handle = node.machine.handle

        def other(event: object, now: float) -> object:
            if isinstance(event, Done) and isinstance(event.effect, Update):
                event = Done(event.effect, Digest(bytes(32)))
            return handle(event, now)  # type: ignore[arg-type]

        node.machine.handle = other  # type: ignore[method-assign, assignment]

    with pytest.raises(RunMismatchError, match="another model in step 0 than the swarm"):
        await run_with(tamper)
