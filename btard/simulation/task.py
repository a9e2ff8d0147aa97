"""A task small enough that a thousand simulated swarms train it in minutes."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from btard.training import Evaluation, Recipe

INPUTS, OUTPUTS = 10, 5
DIMENSION = (INPUTS + 1) * OUTPUTS


class Regression:
    """Least squares with a linear model of 55 parameters; fresh inputs for each seed."""

    name = "simulated-regression"

    def build(self, seed: bytes) -> nn.Module:
        """All weights zero: there is nothing to draw."""
        model = nn.Linear(INPUTS, OUTPUTS)
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
        return model

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        """Mean squared distance from the truth on Gaussian inputs."""
        inputs = torch.randn(batch_size, INPUTS)
        error: Tensor = model(inputs) - inputs @ _truth()
        return error.square().mean()

    def evaluate(self, model: nn.Module) -> Evaluation:
        """The loss in expectation over the inputs; there is no accuracy to speak of."""
        weight, bias = model.weight, model.bias
        assert isinstance(weight, Tensor)
        assert isinstance(bias, Tensor)
        loss = ((weight.T - _truth()).square().sum() + bias.square().sum()) / OUTPUTS
        return Evaluation(float(loss), 0.0)


def _truth() -> Tensor:
    return torch.linspace(-1.0, 1.0, INPUTS * OUTPUTS).reshape(INPUTS, OUTPUTS)


def recipe() -> Recipe:
    """Plain momentum, so that the optimizer has a state that peers must agree on."""
    return Recipe(Regression(), batch_size=8, optimizer=partial(torch.optim.SGD, lr=0.05, momentum=0.9))
