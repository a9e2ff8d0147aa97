"""The two smallest tasks: one for the protocol, one whose labels can be flipped."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from btard.crypto import Draw, keystream
from btard.training import Recipe

FEATURES, CLASSES = 6, 3


class Quadratic:
    """Pull 12 parameters towards a random point: the smallest task that has something to project."""

    name = "quadratic"

    def build(self, seed: bytes) -> nn.Module:
        return nn.Linear(12, 1, bias=False)

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        draw = Draw(seed, "quadratic")
        point = torch.tensor([draw.below(1000) / 1000 for _ in range(12)])
        (weight,) = model.parameters()
        return (weight - point).square().sum()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"loss": 0.0, "accuracy": 0.0}


def quadratic() -> Recipe:
    """The recipe of the task, as a run's description names it."""
    return Recipe(Quadratic(), batch_size=1, optimizer=partial(torch.optim.SGD, lr=0.05), projections=2)


class Blobs:
    """Softmax regression on three Gaussian blobs: 21 parameters, whose gradients differ between batches."""

    name = "blobs"

    def build(self, seed: bytes) -> nn.Module:
        model = nn.Linear(FEATURES, CLASSES)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        return model

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        draw = Draw(seed, "labels")
        labels = torch.tensor([draw.below(CLASSES) for _ in range(batch_size)])
        noise = torch.frombuffer(
            bytearray(keystream(seed, "noise", batch_size * FEATURES)), dtype=torch.uint8
        ).view(batch_size, FEATURES)
        points = functional.one_hot(labels, FEATURES) + noise.float() / 128 - 1
        return functional.cross_entropy(model(points), labels)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"loss": 0.0, "accuracy": 0.0}


def blobs() -> Recipe:
    """Its recipe."""
    return Recipe(Blobs(), batch_size=8, optimizer=partial(torch.optim.SGD, lr=0.1))
