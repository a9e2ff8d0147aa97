"""Peers get on: an attempt ends, a run ends, and aborted attempts are paid for."""

from __future__ import annotations

from btard.node.driver import Work
from btard.protocol.constants import ASK_SHARE, SLACK_ROUNDS, ProtocolConfig, tolerated
from btard.protocol.messages import PHASES
from btard.protocol.record import ABORT, Record
from btard.simulation.checker import Checker, Scene
from btard.simulation.checkers.looking import place_of, records_of
from btard.simulation.host import Host
from btard.types import PeerId


def attempt_max_s(config: ProtocolConfig, peers: int) -> float:
    """The longest time from a steady peer's first event in an attempt to its record of it.

    A phase lasts until the hard deadline of the last that calls for a dispute, which is latest in AGGREGATE:
    (1 + 2 ASK_SHARE) phase_s + (SLACK_ROUNDS + 2) delta_s. Honest peers enter a phase ASK_SHARE phase_s +
    2 delta_s apart, and a call takes delta_s to arrive. The dispute takes 2 delta_s for each of f + 1 rounds.
    A dispute goes on in the same phase at most once (dispute.py, rule 5), so a phase costs at most two of
    both. An endorsement takes delta_s more. Validation takes a gradient, and a vote on cases one for each."""
    dispute_s = 2 * config.delta_s * (tolerated(peers) + 1)
    deadline_s = (1 + 3 * ASK_SHARE) * config.phase_s + (SLACK_ROUNDS + 5) * config.delta_s
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
        self._limit = 0.0

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded in records_of(host, work) if host.steady else ():
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
        limit = self._limit = self._limit or attempt_max_s(scene.scenario.config, scene.scenario.peers)
        if took > limit:
            return f"peer {host.index} has been in {place_of(host)} for {took:.0f} of at most {limit:.0f} s"
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
                return f"peer {host.index} never got out of {place_of(host)}"
            if ended.reason != "finished" and (host.steady or "lost its seat" not in ended.reason):
                return f"peer {host.index} ended otherwise: {ended.reason}"
        return None


def aborts_max(scene: Scene) -> int:
    """The most aborted attempts that a run may have, since each is charged to somebody (protocols/step.md,
    Accounts; broadcast.md, Claim D): to a faulty peer, whose seat ends when its account reaches the credit,
    or to a steady receiver, which then aggregates no part in this window, and so complains once."""
    scenario = scene.scenario
    return scene.genesis.credit * len(scenario.faulty) + len(scenario.steady)


class Accounts(Checker):
    """Each aborted attempt is charged: a faulty peer is removed or is an end of a complaint, or a link
    between two steady peers is broken, or the part of a steady peer is taken because its rows did not come.
    So there are at most `aborts_max`, and the run takes at most so many attempts of `attempt_max_s` more than
    it has steps."""

    name = "accounts"

    def __init__(self) -> None:
        self._aborts: set[int] = set()

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded in records_of(host, work):
            record = recorded.entry.record
            if record.kind != ABORT or record.index in self._aborts:
                continue
            self._aborts.add(record.index)
            if (record.removals or record.complaints) and not self._is_charged(scene, record):
                pairs = _pairs(scene, record)
                return f"record {record.index} charges nobody who is at fault: complaints {pairs}"
            if len(self._aborts) > aborts_max(scene):
                return f"{len(self._aborts)} attempts were aborted, of at most {aborts_max(scene)}"
        return None

    def finish(self, scene: Scene) -> str | None:
        scenario = scene.scenario
        attempts = scenario.steps + 1 + aborts_max(scene)
        limit = attempts * attempt_max_s(scenario.config, scenario.peers)
        return f"the run took more than {limit:.0f} s" if scene.now > limit else None

    def _is_charged(self, scene: Scene, record: Record) -> bool:
        scenario = scene.scenario
        if record.removals:  # `Seats` says whether a steady peer may be among them
            return True
        broken = {way for cut in scenario.cuts if cut.blobs for way in cut.ways}
        return any(
            {*pair} & scenario.faulty or pair in broken or pair[0] == pair[1]
            for pair in _pairs(scene, record)
        )


def _pairs(scene: Scene, record: Record) -> list[tuple[int, int]]:
    """Return the (sender, receiver) pairs of a record's complaints, by index."""
    index_of = scene.index_of
    return [(index_of[PeerId(c.sender)], index_of[PeerId(c.receiver)]) for c in record.complaints]


class Promptness(Checker):
    """The scenario keeps what the protocol is promised: a control message between steady peers is there, and
    read, within delta_s (half of it if links are broken, since what goes around one takes two hops)."""

    name = "promptness"

    def finish(self, scene: Scene) -> str | None:
        took = scene.links.slowest_s + max(host.behind_s for host in scene.hosts if host.honest)
        hops = 2 if any(cut.control for cut in scene.scenario.cuts) else 1
        limit = scene.scenario.config.delta_s / hops
        return f"a message took {took:.3f} s of at most {limit:.3f} s" if took > limit else None
