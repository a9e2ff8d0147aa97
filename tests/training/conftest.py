"""A small task with everything that tempts a gradient to depend on more than its seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from btard.crypto import digest
from btard.training import BlobStore, Engine, Recipe
from btard.types import Digest


class Noisy:
    """Dropout, batch normalisation, a frozen and an unused parameter: 164 trainable coordinates."""

    name = "noisy"

    def build(self, seed: bytes) -> nn.Module:
        model = nn.Sequential(nn.Linear(8, 10), nn.BatchNorm1d(10), nn.Dropout(0.5), nn.Linear(10, 4))
        model.register_parameter("frozen", nn.Parameter(torch.ones(5), requires_grad=False))
        model.register_parameter("unused", nn.Parameter(torch.ones(10)))
        return model

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        output: Tensor = model(torch.randn(batch_size, 8))
        return output.square().mean()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"squares": float(model(torch.ones(1, 8)).square().mean())}


class Diverged(Noisy):
    """A loss that is not finite."""

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        return super().loss(model, seed, batch_size) * float("inf")


MakeEngine = Callable[..., Engine]


@pytest.fixture
def make_engine() -> MakeEngine:
    def make(task: Noisy | None = None, **changes: object) -> Engine:
        settings: dict[str, object] = {"optimizer": partial(torch.optim.SGD, lr=0.1, momentum=0.9), **changes}
        recipe = Recipe(task or Noisy(), batch_size=6, **settings)  # type: ignore[arg-type]
        return Engine(recipe, BlobStore(1 << 24), bytes(32))

    return make


@pytest.fixture
def diverged() -> Noisy:
    return Diverged()


def seed_of(step: int, peer: int) -> bytes:
    return digest("test seed", bytes([step, peer]))


@pytest.fixture
def advance() -> Callable[[Engine, int], tuple[Digest, ...]]:
    """One whole step of a lone swarm of `peers`; the digests of its aggregates."""

    def run(engine: Engine, peers: int = 3) -> tuple[Digest, ...]:
        step = engine.step
        rows = [engine.gradient(step, seed_of(step, peer), peers) for peer in range(peers)]
        results = [engine.aggregate(column, 1.0) for column in zip(*rows, strict=True)]
        aggregates = tuple(name for name, _ in results if name is not None)
        engine.update(step, aggregates)
        engine.adopt(step, aggregates)
        return aggregates

    return run
