"""A cheat with a reason to lose its seat does lose it, as soon as the protocol says."""

from __future__ import annotations

from collections import Counter

from btard.node.driver import Work
from btard.protocol.messages import PartScalars
from btard.protocol.mprng import share_commitment
from btard.protocol.tolerance import ACCUSE_FACTOR
from btard.protocol.verification import fingerprints_disagree, gradient_is_false
from btard.simulation.checker import Checker, Scene
from btard.simulation.checkers.reference import Reference, Step
from btard.simulation.host import Host
from btard.types import PeerId

STEPS_UNTIL_OUT = {"equivocation": 1, "silent": 3}
"""Kinds, without parameters, whose cheating no record shows; and after how many steps, in which they cheated
or were to take part, they may still hold their seats. Two messages for one slot meet in the attempt, or in
RECORD, where the next GRADIENT names them. A silent peer misses `strikes` steps (3 by default)."""


class Detection(Checker):
    """No step is ever made in spite of a cheat that somebody honest was in a place to see:

    - a target whose published scalars, of the step before, are false by more than an accuser's threshold, and
      whose validator is steady and took part. Here k = 1: the cheat's seat ends in the step after, or in the
      close, whether it takes part or not. That a validator is drawn is chance, so nothing is asserted of
      those that were not drawn: a bound with probability below 1e-9 takes 21 / -ln(1 - p) steps, 69 at n = 16
      and p = 0.26, more than a run has;
    - a validator or target that took part, and whose fingerprint is not that of the gradient, if the other
      end is steady;
    - an accusation: whoever is right, it ends a seat;
    - a reveal that is not what its author committed to.

    What follows from a malformed message or a false row is the ledger's and `Validity`'s to
    say. At the end of the run `STEPS_UNTIL_OUT` is due, if the weather does not hold up what Byzantine peers
    say."""

    name = "detection"

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._cheated: Counter[int] = Counter()

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded, step in self._reference.steps(scene, host, work):
            if isinstance(step, str):
                continue
            complaint = self._accused(step) or self._revealed(scene, step) or self._examined(scene, step)
            if complaint is not None:
                return f"step {step.step} is made: {complaint}"
            for cheat in scene.hosts:
                member = cheat.peer in recorded.state.members
                if cheat.adversary is not None and member and cheat.adversary.active(step.step):
                    self._cheated[cheat.index] += 1
        return None

    def finish(self, scene: Scene) -> str | None:
        members = scene.records[-1].state.members if scene.records else ()
        if scene.scenario.weather.byzantine_late:
            return None
        for host in scene.hosts:
            most = STEPS_UNTIL_OUT.get(host.kind)
            if most is not None and host.peer in members and self._cheated[host.index] > most:
                return f"peer {host.index} cheated in {self._cheated[host.index]} steps, and holds a seat"
        return None

    def _accused(self, step: Step) -> str | None:
        seats = [seat for seat, said in enumerate(step.sets["accuse"]) if said.accusations]
        return f"seats {seats} accused somebody, and nobody lost a seat" if seats else None

    def _revealed(self, scene: Scene, step: Step) -> str | None:
        said = zip(step.before.participants, step.sets["gradient"], step.sets["reveal"], strict=True)
        for peer, committed, opened in said:
            if committed.coin != share_commitment(peer, opened.share, opened.salt):
                return f"peer {scene.index_of[peer]} revealed another share than it committed to"
        return None

    def _examined(self, scene: Scene, step: Step) -> str | None:
        past, config = step.before.finished, step.before.config
        for (validator, target), (owed, fingerprint) in step.examined.items():
            assert past is not None
            said = [
                PartScalars(s.projections, s.norm, s.center, s.row)
                for s in past.scalars[past.participants.index(target)]
            ]
            false = gradient_is_false(said, owed, config, ACCUSE_FACTOR)
            scene.coverage["pair with a false gradient" if false else "pair with a true gradient"] += 1
            if false and self._host(scene, validator).steady:
                return f"peer {scene.index_of[target]} published a false gradient, and was examined"
            true = PartScalars(fingerprint.projections, fingerprint.norm, 0.0, 0.0)
            if target not in step.before.participants:
                continue
            for one, other in ((validator, target), (target, validator)):
                seat = step.before.participants.index(one)
                opened = step.sets["accuse"][seat].fingerprint
                wrong = opened is None or fingerprints_disagree(opened, true, config)
                if wrong and self._host(scene, other).steady:
                    return f"peer {scene.index_of[one]} opened a false fingerprint, and keeps its seat"
        return None

    def _host(self, scene: Scene, peer: PeerId) -> Host:
        return scene.hosts[scene.index_of[peer]]
