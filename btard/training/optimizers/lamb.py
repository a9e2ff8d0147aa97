"""LAMB: Adam whose step is, for each tensor, in proportion to the tensor's norm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from btard.training.optimizers.adam import Adaptive
from btard.training.optimizers.arithmetic import Floats, SumOfSquares, blocks
from btard.training.optimizers.optimizer import Move, Vectors, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class LAMB(Adaptive):
    """For each tensor u = m̂ / (sqrt(v̂) + eps) + λ p; p = p - η φ(|p|) / |u| u (You et al. 2020, alg. 2).

    φ(z) = min(z, `norm_max`). The ratio is 1 where a norm is 0, as in all implementations."""

    eps: float = 1e-6
    norm_max: float = 10_000.0

    def __post_init__(self) -> None:
        super(LAMB, self).__post_init__()
        check_positive("norm_max", self.norm_max)

    def _update_tensor(
        self, move: Move, weight_decay: float, old: Vectors, gradient: Floats, new: Vectors
    ) -> None:
        first, second = map(np.float32, self.corrections(move.count))
        decay = np.float32(weight_decay)
        squares, squares_of_step = SumOfSquares(), SumOfSquares()
        for block in blocks(len(gradient)):
            size = block.stop - block.start
            before, after = old.window(block.start, size), new.window(block.start, size)
            bottom = self._average(move, before, gradient[block], after, second)
            # The place of the new parameters holds u until |u| is known.
            step = np.multiply(after.moments[0], first, out=after.parameters)
            np.divide(step, bottom, out=step)
            if weight_decay:
                np.add(step, np.multiply(before.parameters, decay, out=bottom), out=step)
            squares.add(before.parameters)
            squares_of_step.add(step)
        rate = np.float32(move.rate * self._ratio(squares.root(), squares_of_step.root()))
        for block in blocks(len(gradient)):
            step = new.parameters[block]
            np.subtract(old.parameters[block], np.multiply(step, rate, out=step), out=step)

    def _ratio(self, size: float, size_of_step: float) -> float:
        if size == 0 or size_of_step == 0:
            return 1.0
        return min(size, self.norm_max) / size_of_step
