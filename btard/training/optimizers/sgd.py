"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from btard.errors import ConfigurationError
from btard.training.optimizers.arithmetic import Floats, blocks
from btard.training.optimizers.optimizer import Move, PortableOptimizer, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class SGD(PortableOptimizer):
    """h = g + λ p; b = μ b + h; p = p - η b, or p - η (h + μ b) with `nesterov`, as torch.optim.SGD has it
    (Sutskever et al. 2013). The buffer b begins at zero, λ is the weight decay, η the learning rate."""

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super(SGD, self).__post_init__()
        if not 0 <= self.momentum < 1:
            raise ConfigurationError(f"momentum is {self.momentum}: use 0 to less than 1")
        if self.nesterov and not self.momentum:
            raise ConfigurationError("nesterov is True without momentum: give a momentum")

    @property
    def slots(self) -> tuple[str, ...]:
        """The buffer, if there is momentum."""
        return ("momentum_buffer",) if self.momentum else ()

    def _update_tensor(
        self, move: Move, weight_decay: float, old: Vectors, gradient: Floats, new: Vectors
    ) -> None:
        decay, momentum, rate = map(np.float32, (weight_decay, self.momentum, move.rate))
        for block in blocks(len(gradient)):
            parameters, after = old.parameters[block], new.parameters[block]
            direction = move.gradient(gradient[block])
            spare = move.room[0][: len(parameters)]
            if weight_decay:
                # The new parameters are written last: until then their place holds h.
                direction = np.add(np.multiply(parameters, decay, out=spare), direction, out=after)
            if self.momentum:
                buffer = new.moments[0][block]
                np.add(np.multiply(old.moments[0][block], momentum, out=buffer), direction, out=buffer)
                if self.nesterov:
                    direction = np.add(np.multiply(buffer, momentum, out=spare), direction, out=spare)
                else:
                    direction = buffer
            np.subtract(parameters, np.multiply(direction, rate, out=spare), out=after)
