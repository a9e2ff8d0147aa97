"""What a peer measures of its attempts: seconds of phases and of work, deadlines, disputes, bytes, its loss.

For people and their curves alone: nothing is decided by it, and nothing of it is told to other peers. Times
are of the node's loop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from btard.machine import ComputeGradient, Effect, Project
from btard.network.counters import Traffic
from btard.node.gauge import Gauge
from btard.protocol.attempt import AttemptMachine
from btard.training.engine import Engine


@dataclass(frozen=True, slots=True)
class Measured:
    """How one attempt went: the seconds of each phase and of each kind of work that ended in it, the phases
    that lasted until this peer called for a dispute, how many disputes there were and for how long, the bytes
    that were sent and received meanwhile, the loss of the own gradient, and tau of the whole gradient."""

    phases_s: dict[str, float] = field(default_factory=dict)
    work_s: dict[str, float] = field(default_factory=dict)
    deadlines: tuple[str, ...] = ()
    disputes: int = 0
    dispute_s: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0
    training_loss: float | None = None
    tau: float | None = None


NOTHING = Measured()
"""Of an attempt that nobody measured."""


class Measures:
    """Sees each attempt of a peer from its beginning, `begin`, to its record, `take`, in the loop."""

    def __init__(self, gauge: Gauge) -> None:
        self.gauge = gauge
        self.step_began = 0.0
        """When the attempt under way began."""
        self._at = 0.0
        self._phase = ""
        self._hard = math.inf
        self._missed = False
        self._disputing = False
        self._sent = self._received = 0
        self._reset()

    def _reset(self) -> None:
        self._seconds: dict[str, float] = {}
        self._deadlines: list[str] = []
        self._disputes = 0
        self._dispute_s = 0.0
        self._loss: float | None = None
        self._tau: float | None = None

    def begin(self, attempt: AttemptMachine, now: float) -> None:
        """Begin to measure, with an attempt that begins."""
        self._at = self.step_began = now
        self._enter(attempt)

    def see(self, attempt: AttemptMachine, now: float) -> None:
        """Look at the attempt under way, after whatever happened: phases change at such times alone."""
        self._pass_time(now)
        if attempt.in_dispute and not self._disputing:
            self._disputes += 1
        self._disputing = attempt.in_dispute
        if (attempt.phase, attempt.hard) != (self._phase, self._hard):
            self._enter(attempt)

    def performed(self, effect: Effect, engine: Engine) -> None:
        """Take note of an effect whose result has come. The engine's loss is of the own gradient, and the
        next of those is not begun before this attempt has ended."""
        if isinstance(effect, ComputeGradient):
            self._loss = engine.training_loss
        elif isinstance(effect, Project):
            # The effect has tau of a part; parts are alike, so their squares add up to that of the whole.
            self._tau = effect.tau * math.sqrt(len(effect.aggregates))

    def take(self, traffic: Traffic, now: float) -> Measured:
        """Return how the attempt went that has ended; the next one begins. `traffic` is the sum over the
        run."""
        self._pass_time(now)
        sent = traffic.blob_bytes_sent + traffic.control_bytes_sent
        received = traffic.blob_bytes_received + traffic.control_bytes_received
        measured = Measured(
            phases_s=self._seconds,
            work_s=self.gauge.take(),
            deadlines=tuple(self._deadlines),
            disputes=self._disputes,
            dispute_s=self._dispute_s,
            sent_bytes=sent - self._sent,
            received_bytes=received - self._received,
            training_loss=self._loss,
            tau=self._tau,
        )
        self._sent, self._received = sent, received
        self.step_began = now
        self._disputing, self._phase, self._hard = False, "", math.inf
        self._reset()
        return measured

    def _enter(self, attempt: AttemptMachine) -> None:
        self._phase, self._hard, self._missed = attempt.phase, attempt.hard, False

    def _pass_time(self, now: float) -> None:
        elapsed, self._at = now - self._at, now
        if self._phase:
            self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + elapsed
        if self._disputing:
            self._dispute_s += elapsed
        if now >= self._hard and not self._missed:
            self._deadlines.append(self._phase)
            self._missed = True
