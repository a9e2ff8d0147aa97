"""What is applied is what the protocol says: honest gradients, CenteredClip of the committed rows, the model.

The bounds are those of protocols/fingerprint.md and protocols/verification.md, no tighter ones.
"""

from __future__ import annotations

from btard.node.driver import Work
from btard.protocol import suspicion
from btard.protocol.messages import PartScalars
from btard.protocol.tolerance import ACCUSE_FACTOR, DEVIATIONS, hull_bound, zero_sum_tolerance
from btard.protocol.verification import row_is_false
from btard.simulation.checker import Checker, Scene
from btard.simulation.checkers.reference import Reference, Step, clipped_sum
from btard.simulation.host import Host
from btard.training.engine import PROJECTION_DOMAIN
from btard.training.projection import project
from btard.types import Scalars

ESCAPE = 150.0
"""A sum of this many times the slack has K = 4 projections within the slack with probability 2.4e-10 at most:
(3) of protocols/fingerprint.md, 7, with r = 1 / 150 below 1 / 147.8, whatever the shape of the sum."""


class Validity(Checker):
    """Of each step that is made, and of the close, which makes none, first:

    - every honest participant committed to its honest gradient at x_t of the ledger;
    - the model after it is the update of x_t by the aggregates.

    Then of each part, with S the clipped sum of the rows about v(j), zero at the fixed point of CenteredClip,
    and *slack* what the zero sum allows (fingerprint.md, 4):

    - an honest aggregator: all published scalars are true, and |S| is at most the slack / 8, which is what
      the solver and the rounding to float32 leave;
    - a cheating one, and all published scalars are true: |S| is at most 150 times the slack (`ESCAPE`). So
      it gains what fingerprint.md, 4 says, and by luck with the coin not much more;
    - a cheating one with a colluder that published false scalars in this part: no examiner that is honest
      has its rows, |v(j)| is within the hull bound, and, if the part was not examined, within Delta_max of
      some honest row (verification.md, gain 3). That colluder is at its validator's mercy (`Detection`)."""

    name = "validity"

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded, step in self._reference.steps(scene, host, work):
            if isinstance(step, str):
                return step
            complaint = self._step(scene, step)
            if complaint is not None:
                return f"step {step.step}: {complaint}"
            if step.model != recorded.entry.record.model:
                return f"step {step.step}: the model after it is not the update by its aggregates"
        return None

    def _step(self, scene: Scene, step: Step) -> str | None:
        for seat, owed in enumerate(step.gradients):
            author = scene.hosts[scene.index_of[step.before.participants[seat]]]
            if author.honest and step.sets["gradient"][seat].parts != owed:
                return f"honest peer {author.index} committed to another gradient than it owed"
        start = 0
        for part, centre in enumerate(step.aggregates):
            complaint = self._part(scene, step, part, start)
            if complaint is not None:
                return f"part {part}: {complaint}"
            start += centre.numel()
        return None

    def _part(self, scene: Scene, step: Step, part: int, start: int) -> str | None:
        config, centre, rows = step.before.config, step.aggregates[part], step.rows[part]
        tau = config.part_tau(len(step.aggregates))
        honest = [scene.hosts[scene.index_of[peer]].honest for peer in step.before.participants]
        said = [published.parts[part] for published in step.sets["scalars"]]
        known = {seat: row for seat, row in enumerate(rows) if row is not None and len(row) == len(centre)}
        true = dict(
            zip(
                known,
                project(
                    list(known.values()),
                    centre,
                    tau,
                    step.coin,
                    PROJECTION_DOMAIN,
                    config.directions,
                    start,
                ),
                strict=True,
            )
        )
        liars = [seat for seat, words in enumerate(said) if _is_false(words, true.get(seat), tau)]
        for seat in liars:
            if honest[seat]:
                return f"honest seat {seat} published scalars that are not those of its row"
        aggregator = step.seating.aggregators[part]
        if honest[aggregator] and liars:
            return f"it is applied although the scalars of seats {liars} are not those of their rows"
        if liars:
            scene.coverage["part of colluders"] += 1
            return self._colluding(step, part, honest, true, said)
        scene.coverage["part of an honest peer" if honest[aggregator] else "part of a cheat"] += 1
        slack = zero_sum_tolerance([s.norm for s in true.values()], tau, true[0].center)
        limit = slack / DEVIATIONS if honest[aggregator] else ESCAPE * slack
        found = clipped_sum(tuple(known.values()), centre, tau)
        if found > limit:
            return f"it is not CenteredClip of its rows: they pull by {found:.3g} of at most {limit:.3g}"
        return None

    def _colluding(
        self, step: Step, part: int, honest: list[bool], true: dict[int, Scalars], said: list[PartScalars]
    ) -> str | None:
        benches = suspicion.examiners(step.seating, step.sets)
        for seat in benches.get(part, ()):
            if honest[seat] and part not in step.sets["accuse"][seat].unavailable:
                return f"it is applied although honest seat {seat} has examined it and its scalars are false"
        length = float(step.aggregates[part].double().norm())
        limit = hull_bound([words.row for words in said], step.before.config.part_tau(len(step.aggregates)))
        if length > limit * (1 + 1e-6):
            return f"its aggregate is {length:.3g} long, at most {limit:.3g} is allowed"
        nearest = min(scalars.norm for seat, scalars in true.items() if honest[seat])
        delta_max = step.before.config.part_delta_max(len(step.aggregates))
        if part not in benches and nearest > delta_max * (1 + 1e-6):
            return f"no honest row is within {delta_max} of its aggregate, and nobody was to examine it"
        return None


def _is_false(said: PartScalars, true: Scalars | None, tau: float) -> bool:
    return true is None or row_is_false(said, true, tau, ACCUSE_FACTOR)
