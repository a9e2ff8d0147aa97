"""The running averages that AdamW and LAMB share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from btard.errors import ConfigurationError
from btard.training.optimizers.arithmetic import Floats, power
from btard.training.optimizers.optimizer import Move, PortableOptimizer, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive(PortableOptimizer):
    """m = β1 m + (1 - β1) g and v = β2 v + (1 - β2) g^2, from zero (Kingma, Ba 2015)."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super(Adaptive, self).__post_init__()
        for name, value in (("beta1", self.beta1), ("beta2", self.beta2)):
            if not 0 <= value < 1:
                raise ConfigurationError(f"{name} is {value}: use 0 to less than 1")
        if not 1e-30 <= self.eps < math.inf:
            raise ConfigurationError(f"eps is {self.eps}: use at least 1e-30")

    @property
    def slots(self) -> tuple[str, ...]:
        """m and v, under torch's names."""
        return ("exp_avg", "exp_avg_sq")

    def corrections(self, count: int) -> tuple[float, float]:
        """Return 1 / (1 - β1^t) and 1 / sqrt(1 - β2^t) of update t = count + 1, in float64."""
        first = 1.0 / (1.0 - power(self.beta1, count + 1))
        return first, 1.0 / math.sqrt(1.0 - power(self.beta2, count + 1))

    def _average(self, move: Move, old: Vectors, gradient: Floats, new: Vectors, root: np.float32) -> Floats:
        """Write m and v of a block; return `root` sqrt(v) + eps, in the first block of the room."""
        room: Floats = move.room[0][: len(gradient)]
        gradient = move.gradient(gradient)
        (before_m, before_v), (m, v) = old.moments, new.moments
        np.multiply(gradient, np.float32(1.0 - self.beta1), out=room)
        np.add(np.multiply(before_m, np.float32(self.beta1), out=m), room, out=m)
        np.multiply(np.multiply(gradient, gradient, out=room), np.float32(1.0 - self.beta2), out=room)
        np.add(np.multiply(before_v, np.float32(self.beta2), out=v), room, out=v)
        np.multiply(np.sqrt(v, out=room), root, out=room)
        np.add(room, np.float32(self.eps), out=room)
        return room
