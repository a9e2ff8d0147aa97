"""Adam with decoupled weight decay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from btard.training.optimizers.adam import Adaptive
from btard.training.optimizers.arithmetic import Floats, blocks
from btard.training.optimizers.optimizer import Move, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamW(Adaptive):
    """p = (1 - η λ) p - η m̂ / (sqrt(v̂) + eps), m̂ and v̂ corrected for their start at zero (Loshchilov, Hutter
    2019, algorithm 2, with η in the decay, as torch.optim.AdamW has it)."""

    def _update_tensor(
        self, move: Move, weight_decay: float, old: Vectors, gradient: Floats, new: Vectors
    ) -> None:
        first, second = self.corrections(move.count)
        kept, rate, root = map(np.float32, (1.0 - move.rate * weight_decay, move.rate * first, second))
        for block in blocks(len(gradient)):
            size = block.stop - block.start
            before, after = old.window(block.start, size), new.window(block.start, size)
            bottom = self._average(move, before, gradient[block], after, root)
            direction = np.divide(after.moments[0], bottom, out=bottom)
            np.multiply(direction, rate, out=direction)
            np.multiply(before.parameters, kept, out=after.parameters)
            np.subtract(after.parameters, direction, out=after.parameters)
