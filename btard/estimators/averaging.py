"""Anytime averaging: gradients are taken at the weighted average of the iterates (Cutkosky 2019)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class AnytimeAveraging:
    """The server's part of mu^2-SGD: w_{t+1} = w_t - eta alpha_t a_t, x_{t+1} = (1 - c) x_t + c w_{t+1}.

    a_t is the aggregate of the messages, x_t is the point of differentiation and of evaluation.
    `weighted`: alpha_t = t, else 1. c is `gamma`, or alpha_{t+1} / alpha_{1:t+1} if None, so that
    x_t = sum_{k <= t} alpha_k w_k / alpha_{1:t}, w_1 = x_1.

    Source: Cutkosky 2019 for the average; Dahan, Levy 2025 ("Do Stochastic, Feel Noiseless"), for
    its use. Their public code leaves alpha_t out of the step of w and mixes with alpha_t / alpha_{1:t}, which
    forgets w_1; here x is the average that the theory is about.
    """

    weighted: bool = True
    gamma: float | None = None

    def advance(
        self, step: int, x_D: Tensor, w_D: Tensor, aggregate_D: Tensor, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        """(x, w) after `step`, counted from 0, both new tensors of shape (d,); eta is `learning_rate`."""
        t = step + 1
        alpha = float(t) if self.weighted else 1.0
        # alpha_{t+1} / alpha_{1:t+1} with alpha_t = t, or 1.
        mixing = 2.0 / (t + 2) if self.weighted else 1.0 / (t + 1)
        w_D = w_D - (learning_rate * alpha) * aggregate_D
        return x_D.lerp(w_D, mixing if self.gamma is None else self.gamma), w_D
