"""The deadlines of the phase under way: to ask for what is lacking, to report it, to call for a dispute."""

from __future__ import annotations

from btard.protocol.constants import SLACK_ROUNDS
from btard.protocol.duties import Due
from btard.protocol.messages import AGGREGATE, GRADIENT, Phase
from btard.protocol.state import RosterState

CALLS_FROM = 3
"""Deadlines of a phase before the first call: to ask early, to ask again, and to complain in any event."""


class Clock:
    """Times are in seconds of the driver's origin. A phase begins again, with all its deadlines, after a
    dispute."""

    def __init__(self, state: RosterState, phase: Phase, now: float) -> None:
        self._state = state
        self.begin(phase, 0, now)

    def begin(self, phase: Phase, gradients: int, now: float) -> None:
        """Begin a phase in which some peer has to compute so many `gradients` beside its usual work."""
        self._entered = now
        self._limit_s = self._state.patience_s(phase, gradients)
        self._ask_s = self._state.asking_s(phase, self._limit_s)
        # An aggregator that lacks a part may have begun so much earlier than the senders, or later.
        before_s = self._state.patience_s(GRADIENT)
        self._skew_s = self._state.asking_s(GRADIENT, before_s) if phase == AGGREGATE else 0.0
        self._passed = 0

    @property
    def soft(self) -> float:
        """When this phase's work should be done: what is missing then is asked for, or complained about."""
        return self._entered + self._limit_s

    @property
    def overdue(self) -> float:
        """When this phase's work should be done even by peers that began it last."""
        return self.soft + self._skew_s + 2 * self._state.config.delta_s

    @property
    def hard(self) -> float:
        """When this peer calls for a dispute: a peer that began last has spoken, overdue or not."""
        slack_s = SLACK_ROUNDS * self._state.config.delta_s
        return self.soft + slack_s if not self._skew_s else self.overdue + self._skew_s + slack_s

    @property
    def deadline(self) -> float:
        """The next deadline: to ask early, to ask again, to complain in any event, to call for a dispute, and
        to repeat the call while there are too few."""
        if self._passed < CALLS_FROM:
            return (self._early, self.soft, self.overdue)[self._passed]
        return self.hard + (self._passed - CALLS_FROM) * self._state.config.phase_s

    @property
    def _early(self) -> float:
        return self._entered + self._ask_s

    def due(self, now: float) -> Due:
        """Return how far the time of the phase has gone."""
        passed = sum(now >= deadline for deadline in (self._early, self.soft, self.overdue))
        return Due(Due.WORKING + passed)

    def waited(self, now: float) -> float:
        """Return for how long this phase has lasted; 0 if it has just begun."""
        return now - self._entered

    def pass_deadline(self) -> bool:
        """Go on to the next deadline; return whether this one was for a call."""
        self._passed += 1
        return self._passed > CALLS_FROM
