"""The plain stochastic gradient, and worker momentum (Karimireddy, He, Jaggi 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from btard.errors import ConfigurationError
from btard.estimators.estimator import Estimator


@dataclass(frozen=True, slots=True)
class PlainGradient(Estimator):
    """The stochastic gradient itself, not a copy."""

    def _estimate(
        self, step: int, previous: Tensor | None, gradient: Tensor, gradient_before: Tensor | None
    ) -> Tensor:
        return gradient


@dataclass(frozen=True, slots=True)
class WorkerMomentum(Estimator):
    """m_t = beta m_{t-1} + (1 - beta) g_t, 0 <= `beta` < 1.

    It starts from m_0 = g_0, as in the paper's Algorithm 2 and CTMA's code; with `zero_start` from
    m_{-1} = 0, so that m_0 = (1 - beta) g_0, as in ByzFL.
    """

    beta: float = 0.9
    zero_start: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.beta < 1.0:
            raise ConfigurationError(f"beta is {self.beta}: use 0 <= beta < 1")

    def _estimate(
        self, step: int, previous: Tensor | None, gradient: Tensor, gradient_before: Tensor | None
    ) -> Tensor:
        if previous is None:
            return gradient * (1.0 - self.beta) if self.zero_start else gradient.clone()
        return previous.lerp(gradient, 1.0 - self.beta)
