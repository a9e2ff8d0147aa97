"""Who loses a seat or a step, or is blamed: nobody for what it did not do."""

from __future__ import annotations

from btard.adversary import ADVERSARIES, Adversary, parse_adversary
from btard.node.driver import Work
from btard.protocol.constants import tolerated
from btard.protocol.record import BAN, MISS, STEP, Cause, Removal
from btard.protocol.state import RosterState
from btard.simulation.breaks import broken_parts
from btard.simulation.checker import Checker, Scene
from btard.simulation.checkers.looking import records_of, removals_of
from btard.simulation.host import Host
from btard.types import PeerId


class Innocence(Checker):
    """Nobody honest is banned, not even after a crash or while it is slow."""

    name = "innocence"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for target, removal in removals_of(scene, host, work):
            if target.honest and removal.kind == BAN:
                return f"honest peer {target.index} is banned: {removal.reason}"
        return None


class Seats(Checker):
    """Steady peers lose neither seat nor step.

    With one exception, which the rules make (protocols/step.md, AGGREGATE): one whose broken links are, with
    the faulty members, more than f + 1 may miss a step for parts that did not come. It keeps its seat."""

    name = "seats"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded in records_of(host, work):
            for removal in recorded.entry.record.removals:
                target = scene.hosts[scene.index_of[PeerId(removal.peer)]]
                if target.steady and not _cut_off(scene, target, removal, recorded.state):
                    return f"steady peer {target.index} is out ({removal.kind}): {removal.reason}"
        return None


def _cut_off(scene: Scene, target: Host, removal: Removal, state: RosterState) -> bool:
    """Return whether broken links and lies may explain that a steady peer misses a step; `state` is the one
    after it."""
    scenario = scene.scenario
    members = {scene.index_of[peer] for peer in state.members}
    faulty = len(members & scenario.faulty)
    sends, gets = broken_parts(scenario.cuts, members & {*scenario.steady}, target.index)
    f = tolerated(len(members))
    if removal.kind != MISS:
        return False
    if removal.reason == Cause.WITHHELD_PART:
        return sends > 0 and sends + faulty > f + 1
    return removal.reason == Cause.UNREACHABLE and gets > 0 and gets + faulty > f + 1


class Causes(Checker):
    """A banned peer's reason is one that its adversary can cause: no other peer's crime is pinned on it."""

    name = "causes"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for target, removal in removals_of(scene, host, work):
            if removal.kind == BAN and target.kind and removal.reason not in possible_reasons(target.kind):
                return f"peer {target.index}, {target.kind}, is banned for another's crime: {removal.reason}"
        return None


def possible_reasons(kind: str) -> frozenset[str]:
    """Return what an adversary can be banned for: what it does, and, if it changes messages that its own
    machine believes to have sent, equivocation, because its views say otherwise."""
    cheat = ADVERSARIES[parse_adversary(kind).name]
    return cheat.reasons | ({"equivocation"} if cheat.tamper is not Adversary.tamper else set())


class Blame(Checker):
    """Honest peers find no fault with what honest peers send them."""

    name = "blame"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for fault in work.faults if host.honest else ():
            index = scene.index_of.get(fault.peer)
            if index is not None and scene.hosts[index].honest:
                return f"peer {host.index} blames honest peer {index}: {fault.kind} ({fault.detail})"
        return None


class Strikes(Checker):
    """A peer that only missed a step has its seat back in the next one."""

    name = "strikes"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded in records_of(host, work):
            record, state = recorded.entry.record, recorded.state
            lost = {each.peer for each in record.removals if each.kind == MISS} - set(state.members)
            if record.kind == STEP and (lost or state.participants != state.members):
                return f"after step {record.step} not all members take part"
        return None
