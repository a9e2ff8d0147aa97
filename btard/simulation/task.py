"""A task small enough that a thousand simulated swarms train it in minutes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from btard.training import SGD, Recipe

INPUTS, CLASSES = 10, 5
DIMENSION = (INPUTS + 1) * CLASSES


class Classification:
    """Softmax regression with 55 parameters: which of 5 directions is a Gaussian input nearest to?"""

    name = "simulated-classification"

    def build(self, seed: bytes) -> nn.Module:
        """All weights zero: there is nothing to draw."""
        model = nn.Linear(INPUTS, CLASSES)
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
        return model

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        """Cross entropy on fresh inputs."""
        inputs = torch.randn(batch_size, INPUTS)
        return functional.cross_entropy(model(inputs), _labels(inputs))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss and accuracy on a grid of inputs."""
        inputs = torch.linspace(-2.0, 2.0, 40 * INPUTS).sin().reshape(40, INPUTS)
        logits, labels = model(inputs), _labels(inputs)
        accuracy = (logits.argmax(1) == labels).float().mean()
        return {"loss": float(functional.cross_entropy(logits, labels)), "accuracy": float(accuracy)}


def _labels(inputs: Tensor) -> Tensor:
    directions = torch.linspace(-9.0, 9.0, INPUTS * CLASSES).sin().reshape(INPUTS, CLASSES)
    return (inputs @ directions).argmax(1)


def recipe() -> Recipe:
    """Plain momentum, so that the optimizer has a state that peers must agree on."""
    return Recipe(Classification(), batch_size=8, optimizer=SGD(learning_rate=0.05, momentum=0.9))
