"""A peer that says everything as late as it may."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from btard.adversary.delaying import Delaying
from btard.adversary.forge import own_posts
from btard.errors import ConfigurationError
from btard.machine import Actions
from btard.protocol.constants import SLACK_ROUNDS
from btard.protocol.messages import PHASES, RECORD, Phase
from btard.protocol.peer import PeerMachine


@dataclass(kw_only=True, eq=False)
class Late(Delaying):
    """Sends its message of `phase`, or of all phases, `margin` delta_s before a deadline of the phase: the
    "hard" one, at which the others call for a dispute, the "soft" one, or, with "free", the time up to which
    nobody is charged. Its machine believes that it speaks late, so it is never ahead of the others."""

    reasons: ClassVar[frozenset[str]] = frozenset({"slow"})

    phase: Literal["all", "gradient", "aggregate", "reveal", "scalars", "accuse", "verdict", "record"] = "all"
    until: Literal["hard", "soft", "free"] = "hard"
    margin: float = 0.75
    _due: float | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.margin < 0:
            raise ConfigurationError(f"margin of late is {self.margin}: use 0 or more")

    @property
    def wake(self) -> float | None:
        return min((due for due in (self._due, super().wake) if due is not None), default=None)

    def speak(self, phase: str, payload: Any) -> Any:
        if not self.is_attacking or self.phase not in ("all", phase):
            return payload
        due = self._deadline()
        self._due = due if due > self.now else None
        return payload if self._due is None else None

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        if self._due is not None and self._due <= now:
            self._due = None
        if machine.attempt.phase == RECORD and self.is_attacking and self.phase in ("all", RECORD):
            due = self._deadline()
            for send, sealed in tuple(own_posts(out, self.identity)):
                if sealed.envelope.phase == RECORD and due > now:
                    out.messages.remove(send)
                    self.keep(send, due)
        self.release(out, now)
        return out

    def rest(self, out: Actions, now: float) -> None:
        self._due = None
        super().rest(out, now)

    def _deadline(self) -> float:
        """Return when it speaks in the phase under way."""
        assert self._machine is not None
        attempt = self._machine.attempt
        state, phase = attempt.state, attempt.phase
        delta = state.config.delta_s
        if self.until == "free":
            entered = self.now - attempt.waited(self.now)
            return entered + state.config.patience * self._usual(phase) - self.margin * delta / 10
        slack = 0.0 if self.until == "hard" else SLACK_ROUNDS * delta
        return attempt.hard - slack - self.margin * delta

    def _usual(self, phase: Phase) -> float:
        took = self.seating.state.took
        return took[PHASES.index(phase)] / 1000 if took else 0.0
