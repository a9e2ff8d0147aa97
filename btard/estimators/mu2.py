"""mu^2-SGD (Dahan, Levy 2025), a corrected momentum of gradients at averaged points."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from btard.errors import ConfigurationError
from btard.estimators.averaging import AnytimeAveraging
from btard.estimators.estimator import Estimator


@dataclass(frozen=True, slots=True)
class Mu2(Estimator):
    """d_t = grad(x_t; z_t) + (1 - beta_t) (d_{t-1} - grad(x_{t-1}; z_t)), the server averaging anytime.

    beta_t is `beta` in (0, 1], or 1 / t if None, t counted from 1, as in theory. `weighted` (alpha_t = t,
    else 1) and `gamma` (None: alpha_{t+1} / alpha_{1:t+1}) are those of `AnytimeAveraging`. With alpha_t = t
    the steps grow by t: over T steps a learning rate of about 4 / T times SGD's goes as far.

    Source: Dahan, Levy 2025 (Algorithm 1), and 2024 with many workers. The authors' experiments take
    beta_t = max(round(1 / t, 3), 0.01), and elsewhere beta = 0.9 or gamma = 0.1 throughout.
    """

    beta: float | None = None
    weighted: bool = True
    gamma: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("beta", self.beta), ("gamma", self.gamma)):
            if value is not None and not 0.0 < value <= 1.0:
                raise ConfigurationError(f"{name} is {value}: use 0 < {name} <= 1")

    @property
    def points(self) -> int:
        return 2

    @property
    def averaging(self) -> AnytimeAveraging:
        return AnytimeAveraging(self.weighted, self.gamma)

    def _estimate(
        self, step: int, previous: Tensor | None, gradient: Tensor, gradient_before: Tensor | None
    ) -> Tensor:
        if previous is None or gradient_before is None:
            return gradient.clone()
        beta = 1.0 / (step + 1) if self.beta is None else self.beta
        return gradient + (1.0 - beta) * (previous - gradient_before)
