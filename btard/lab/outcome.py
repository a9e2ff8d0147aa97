"""The outcome of an experiment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """The model after `step` steps, on held-out data: mean loss, and accuracy in [0, 1]."""

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Seconds:
    """The seconds that all steps took together; they alone differ between two runs of one experiment.

    `gradients` of all workers, `encode` of DRACO's codes (0 for rules), `attack`, `aggregate` (a rule, or a
    code's decoding), and the `total`, evaluations included.
    """

    gradients: float
    encode: float
    attack: float
    aggregate: float
    total: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The measurements of one experiment, the first of the untrained model, the last at its end.

    `diverged` is the step in which the parameters, or more rows than the rule can leave out, ceased to be
    finite; None if there was no such step. Training stops there, and the last measurement has the accuracy
    of chance and an infinite loss. `decode_errors` counts the steps in which a code named an honest worker,
    missed an attacker, or could not decode (which skips the step); 0 for rules.
    """

    measurements: tuple[Measurement, ...]
    seconds: Seconds
    diverged: int | None = None
    decode_errors: int = 0

    @property
    def final(self) -> Measurement:
        return self.measurements[-1]
