"""The properties that must hold in every simulated run, checked after every event.

A checker sees each step of each peer's machine, as the world carries it out, and says what is wrong; the
world stops at the first complaint. Peers are honest unless an adversary wraps them; *steady* ones are also
neither crashed nor slow. tests/simulation/test_checkers.py plants the bug that each checker is for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from btard.adversary import ADVERSARIES, Adversary, parse_adversary
from btard.machine import Adopt, Effect
from btard.node.driver import Work
from btard.protocol.constants import ASK_SHARE, SLACK_ROUNDS, ProtocolConfig, tolerated
from btard.protocol.messages import PHASES
from btard.protocol.outputs import Diverged, Recorded
from btard.protocol.peer import EARLY_MAX
from btard.protocol.record import ABORT, BAN, MISS, STEP, Removal
from btard.simulation.checker import Checker, Scene
from btard.simulation.footprint import footprint
from btard.simulation.host import Host
from btard.types import Digest, PeerId


class LedgerAgreement(Checker):
    """Honest peers write the same ledger: the same record and the same state after it at each index (roster,
    aggregates, coin, scalars, model digest). And nobody honest finds that its model is not the swarm's."""

    name = "agreement"

    def __init__(self) -> None:
        self._first: dict[int, tuple[int, Recorded]] = {}

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        if not host.honest:
            return None
        for output in work.outputs:
            if isinstance(output, Diverged):
                return f"peer {host.index} has another model than the swarm after step {output.step}"
            if isinstance(output, Recorded):
                other, first = self._first.setdefault(output.entry.record.index, (host.index, output))
                if first.entry.record != output.entry.record or first.state != output.state:
                    return (
                        f"peers {other} and {host.index} disagree on record {output.entry.record.index}: "
                        f"{first.entry.record} and {output.entry.record}"
                    )
        return None


class Models(Checker):
    """The model that an honest peer adopts has the certified digest."""

    name = "models"

    def __init__(self) -> None:
        self._certified: dict[int, Digest] = {}

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded in _records(host, work):
            record = recorded.entry.record
            if record.kind == STEP:
                self._certified.setdefault(record.step, Digest(record.model))
        return None

    def worked(self, scene: Scene, host: Host, effect: Effect) -> str | None:
        if not host.honest or not isinstance(effect, Adopt):
            return None
        if host.engine.model_digest != self._certified.get(effect.step):
            return f"peer {host.index} adopts a model after step {effect.step} that nobody certified"
        return None


class Inventory(Checker):
    """The store of an honest peer has every blob that its machine relies on, also after a step's end."""

    name = "inventory"

    def worked(self, scene: Scene, host: Host, effect: Effect) -> str | None:
        if host.honest and isinstance(effect, Adopt):
            lost = [name for name in host.machine.inventory if name not in host.driver.store]
            if lost:
                return f"peer {host.index} relies on {len(lost)} blobs that its store has dropped"
        return None


class Innocence(Checker):
    """Nobody honest is banned, not even after a crash or while it is slow."""

    name = "innocence"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for target, removal in _removals(scene, host, work):
            if target.honest and removal.kind == BAN:
                return f"honest peer {target.index} is banned: {removal.reason}"
        return None


class Seats(Checker):
    """Steady peers lose neither seat nor step."""

    name = "seats"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for target, removal in _removals(scene, host, work):
            if target.steady:
                return f"steady peer {target.index} is out ({removal.kind}): {removal.reason}"
        return None


class Causes(Checker):
    """A banned peer's reason is one that its adversary can cause: no other peer's crime is pinned on it."""

    name = "causes"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for target, removal in _removals(scene, host, work):
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


def attempt_max_s(config: ProtocolConfig, peers: int) -> float:
    """The longest time from a steady peer's first event in an attempt to its record of it.

    A phase lasts until the hard deadline, phase_s + SLACK_ROUNDS delta_s, of the last that calls for a
    dispute: honest peers enter it ASK_SHARE phase_s + 2 delta_s apart, and a call takes delta_s to arrive.
    The dispute takes 2 delta_s for each of f + 1 rounds. A dispute goes on in the same phase at most once
    (dispute.py, rule 5), so a phase costs at most two of both. An endorsement takes delta_s more. Validation
    takes a gradient, and a vote on cases one for each."""
    dispute_s = 2 * config.delta_s * (tolerated(peers) + 1)
    deadline_s = (1 + ASK_SHARE) * config.phase_s + (SLACK_ROUNDS + 3) * config.delta_s
    phase_s = deadline_s + dispute_s
    gradients_s = (1 + peers) * config.gradient_s
    return 2 * (len(PHASES) * phase_s + gradients_s) + config.delta_s


class SteadyProgress(Checker):
    """A steady peer's attempt ends within `attempt_max_s`, and each aborted one had its use: somebody is out
    or is charged with a part that did not come."""

    name = "progress"

    def __init__(self) -> None:
        self._begun: dict[int, float] = {}
        self._at: dict[int, tuple[float, int]] = {}

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded in _records(host, work) if host.steady else ():
            record = recorded.entry.record
            if record.kind == ABORT and not record.removals and not record.complaints:
                return f"record {record.index} ends an attempt to no effect"
            self._begun[host.index] = scene.now
        return None

    def passing(self, scene: Scene, host: Host) -> str | None:
        if not host.steady or host.ended:
            return None
        time, count = self._at.get(host.index, (-1.0, 0))
        self._at[host.index] = (scene.now, count + 1 if time == scene.now else 1)
        if count > 100 * scene.scenario.peers:
            return f"peer {host.index} has handled {count} events and no time has passed"
        took = scene.now - self._begun.setdefault(host.index, scene.now)
        limit = attempt_max_s(scene.scenario.config, scene.scenario.peers)
        if took > limit:
            return f"peer {host.index} has been in {_place(host)} for {took:.0f} of at most {limit:.0f} s"
        return None


class EveryEnding(Checker):
    """At the end of the run every steady peer has finished it; slow ones have, or lost their seat on the way
    (and may not know it yet: what a peer without a seat missed it reads in the ledger)."""

    name = "ending"

    def finish(self, scene: Scene) -> str | None:
        members = scene.records[-1].state.members if scene.records else scene.genesis.members
        for host in scene.hosts:
            if not host.honest or not host.alive or (not host.steady and host.peer not in members):
                continue
            ended = host.machine.ended
            if ended is None:
                return f"peer {host.index} never got out of {_place(host)}"
            if ended.reason != "finished" and (host.steady or "lost its seat" not in ended.reason):
                return f"peer {host.index} ended otherwise: {ended.reason}"
        return None


class Strikes(Checker):
    """A peer that only missed a step has its seat back in the next one."""

    name = "strikes"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded in _records(host, work):
            record, state = recorded.entry.record, recorded.state
            lost = {each.peer for each in record.removals if each.kind == MISS} - set(state.members)
            if record.kind == STEP and (lost or state.participants != state.members):
                return f"after step {record.step} not all members take part"
        return None


class Buffers(Checker):
    """What a machine holds is bounded, whatever others send: measured at each record, on one steady peer.

    n peers' messages of an attempt have O(n) fields each; a dispute adds n views; and EARLY_MAX messages of
    each sender may wait for a later attempt."""

    name = "buffers"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        first = next(each for each in scene.hosts if each.steady)
        if host is not first or not any(isinstance(output, Recorded) for output in work.outputs):
            return None
        held, limit = footprint(host.machine), objects_max(scene.scenario.peers)
        return f"peer {host.index}'s machine holds {held} objects of {limit}" if held > limit else None


def objects_max(peers: int) -> int:
    """Objects that a machine of a swarm of `peers` may hold: three times what an undisturbed run measured."""
    return 3 * (2000 + 1000 * peers + 100 * peers**2) + math.prod((4, EARLY_MAX))


def _records(host: Host, work: Work) -> Iterator[Recorded]:
    """Yield what an honest host has just recorded."""
    return (each for each in work.outputs if host.honest and isinstance(each, Recorded))


def _removals(scene: Scene, host: Host, work: Work) -> Iterator[tuple[Host, Removal]]:
    """Yield the removals in what an honest host has just recorded, each with its target."""
    for recorded in _records(host, work):
        for removal in recorded.entry.record.removals:
            yield scene.hosts[scene.index_of[PeerId(removal.peer)]], removal


def _place(host: Host) -> str:
    attempt = host.machine.attempt
    return f"attempt {attempt.state.step}.{attempt.state.attempt}, phase {attempt.phase}"


def all_checkers() -> tuple[Checker, ...]:
    """One of each, for one run."""
    return (
        LedgerAgreement(),
        Models(),
        Inventory(),
        Innocence(),
        Seats(),
        Causes(),
        Blame(),
        SteadyProgress(),
        Strikes(),
        Buffers(),
        EveryEnding(),
    )
