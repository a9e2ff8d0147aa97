"""What behaviours have cost the others, as their author can tell from records and from its clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from statistics import median

from btard.protocol.outputs import Recorded
from btard.protocol.state import STEP_FLOOR, RosterState
from btard.types import PeerId

_MEMORY = 0.5
"""The weight of the last attempt in a behaviour's score: circumstances change, deadlines above all."""

_SEAT = 1.0
"""The price of a colluder's seat, in units of the credit of an account."""


@dataclass
class Ledger:
    """Scores of behaviours, in steps of the usual length: time lost, charges of honest peers and errors of
    aggregates, less what the colluders' accounts and seats were charged with."""

    scores: dict[str, float] = field(default_factory=dict)
    _before: RosterState | None = None
    _earlier: tuple[str, ...] = ()
    _at: float = 0.0
    _usual_norm: float = 0.0

    def best(self, known: Sequence[str]) -> str | None:
        """Return what has done most damage for its price; None if nothing has done any."""
        tried = [name for name in known if self.scores.get(name, 0.0) > 0]
        return max(tried, key=lambda name: (self.scores[name], name), default=None)

    def recorded(
        self, output: Recorded, plan: Sequence[str], colluders: Collection[PeerId], now: float
    ) -> None:
        """Take the end of an attempt in which `plan` was done."""
        before, after, lasted = self._before, output.state, now - self._at
        record = output.entry.record
        self._before, self._at = after, now
        if before is None:
            return
        damage = self._delay(after, lasted) + self._error(after)
        late = 0.0
        for peer in before.members:
            charge = after.account(peer) - before.account(peer)
            if peer not in after.members:
                charge = round(_SEAT * before.credit)
            if peer not in colluders:
                damage += max(0, charge)
            elif peer in {each.peer for each in record.late}:
                late += charge
            else:
                damage -= charge
        # Delays of an attempt are charged by the record of the next one.
        self._score(self._earlier, -late, keep=1.0)
        self._score(plan, damage, keep=1 - _MEMORY)
        self._earlier = tuple(plan)

    def _score(self, plan: Sequence[str], damage: float, keep: float) -> None:
        for name in plan:
            known = self.scores.get(name)
            self.scores[name] = damage if known is None else keep * known + _MEMORY * damage

    def _delay(self, state: RosterState, lasted: float) -> float:
        """Return the steps that would have gone by in the meantime; a floor, so that colluders, whose clocks
        differ by little, mostly agree."""
        usual = max(STEP_FLOOR * state.config.delta_s, sum(state.took) / 1000)
        return lasted // usual

    def _error(self, state: RosterState) -> float:
        """Return by how much the aggregates lie further from the rows than they did at first."""
        if state.finished is None or state.attempt > 0:
            return 0.0
        norms = [scalars.norm for said in state.finished.scalars for scalars in said]
        norm = median(norms)
        self._usual_norm = self._usual_norm or norm
        return min(10.0, round(max(0.0, norm / self._usual_norm - 1))) if self._usual_norm else 0.0
