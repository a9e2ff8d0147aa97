"""What every gradient estimator is: a frozen value that makes a worker's message of its gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from btard.errors import ConfigurationError
from btard.estimators.averaging import AnytimeAveraging


class Estimator(ABC):
    """A worker's way from stochastic gradients to the vector that it sends. A pure function."""

    __slots__ = ()

    @property
    def points(self) -> int:
        """The number of points at which a step's samples are differentiated: x_t, or x_t and x_{t-1}."""
        return 1

    @property
    def averaging(self) -> AnytimeAveraging | None:
        """How the server must average its iterates, None if it may step as it likes."""
        return None

    def estimate(
        self, step: int, previous: Tensor | None, gradient: Tensor, gradient_before: Tensor | None = None
    ) -> Tensor:
        """Return the message of `step`, counted from 0, of shape (..., d), dtype and device of `gradient`.

        `previous` is the same worker's message of the step before, None in step 0. `gradient` is taken at
        x_t on the step's samples, `gradient_before` on the same samples at x_{t-1}, if `points` is 2 and
        step > 0. No tensor is changed, but the result may be one of them. Raises ConfigurationError if one
        is missing or of another shape.
        """
        needed = {"previous": previous}
        if self.points == 2:
            needed["gradient_before"] = gradient_before
        for name, value in needed.items():
            if step > 0 and value is None:
                raise ConfigurationError(f"step {step} of {type(self).__name__} needs `{name}`: give it")
            if value is not None and value.shape != gradient.shape:
                raise ConfigurationError(
                    f"`{name}` has shape {tuple(value.shape)} and the gradient {tuple(gradient.shape)}: "
                    "give both of the same workers"
                )
        return self._estimate(step, previous, gradient, gradient_before)

    @abstractmethod
    def _estimate(
        self, step: int, previous: Tensor | None, gradient: Tensor, gradient_before: Tensor | None
    ) -> Tensor:
        """Return the estimator itself, on tensors of one shape; those that it needs are there if step > 0."""
