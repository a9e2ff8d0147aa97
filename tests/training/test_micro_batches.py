"""A gradient is the mean over micro-batches, each with a seed of its own, in the precision of the recipe."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.training import AdamW, BlobStore, Engine, Recipe
from btard.training.bench import Bench
from btard.training.micro_batches import micro_batches
from btard.training.randomness import bernoulli
from btard.training.tasks.digits import digits
from btard.training.vector import flatten

SEED = bytes(range(32))
CPU = torch.device("cpu")


def bench(recipe: Recipe) -> tuple[Bench, Tensor]:
    made = Bench(recipe, bytes(32), CPU)
    return made, flatten([*made.module.parameters()])


def test_a_batch_without_micro_batches_is_one_with_the_seed_itself() -> None:
    assert micro_batches(digits(), SEED) == ((SEED, 32),)


def test_a_batch_of_one_micro_batch_has_a_seed_of_its_own_as_any_other_number_of_them() -> None:
    ((seed, size),) = micro_batches(replace(digits(), micro_batch=32), SEED)
    assert (seed != SEED, size) == (True, 32)


def test_a_gradient_is_the_float32_mean_of_the_micro_batches_gradients_in_their_order() -> None:
    recipe = replace(digits(), micro_batch=8)
    made, vector = bench(recipe)
    whole = made.gradient(vector, SEED)
    alone, _ = bench(replace(recipe, batch_size=8, micro_batch=None))
    expected = torch.zeros_like(vector)
    losses = []
    for index in range(4):
        expected += alone.gradient(vector, digest("micro-batch", SEED, index.to_bytes(8, "little")))
        assert alone.loss is not None
        losses.append(alone.loss)
    assert torch.equal(whole, expected / 4)
    assert made.loss == pytest.approx(sum(losses) / 4, rel=1e-12)


def test_the_norm_is_clipped_after_the_mean() -> None:
    recipe = replace(digits(), micro_batch=8)
    made, vector = bench(recipe)
    gradient = made.gradient(vector, SEED)
    norm = float(gradient.norm())
    clipped, _ = bench(replace(recipe, clip=norm / 2))
    assert torch.allclose(clipped.gradient(vector, SEED), gradient / 2, rtol=1e-5)


class Rare:
    """A linear loss, which is NaN for some micro-batches."""

    name = "rare"

    def __init__(self) -> None:
        self.poisoned: bytes | None = None
        self.sizes: list[int] = []

    def build(self, seed: bytes) -> nn.Module:
        return nn.Linear(3, 1)

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        self.sizes.append(batch_size)
        factor = float("nan") if seed == self.poisoned else 1.0
        loss: Tensor = model(torch.ones(batch_size, 3)).mean() * factor
        return loss

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"loss": 0.0}


def test_one_micro_batch_that_is_not_a_number_makes_the_whole_gradient_zero() -> None:
    task = Rare()
    recipe = Recipe(task, 6, AdamW(learning_rate=0.1), micro_batch=2)
    made, vector = bench(recipe)
    assert made.gradient(vector, SEED).any()
    task.poisoned = digest("micro-batch", SEED, (1).to_bytes(8, "little"))
    assert not made.gradient(vector, SEED).any()
    assert task.sizes == [2] * 6


def test_progress_is_told_after_each_micro_batch() -> None:
    made, vector = bench(replace(digits(), micro_batch=8))
    told: list[tuple[int, int]] = []
    made.on_micro_batch = lambda done, total: told.append((done, total))
    made.gradient(vector, SEED)
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


class Kept:
    """What a graph holds until it is freed."""


class Hold(torch.autograd.Function):
    """The identity, whose node of the graph holds an object."""

    @staticmethod
    def forward(context: Any, values: Tensor, kept: Kept) -> Tensor:
        context.kept = kept
        return values.clone()

    @staticmethod
    def backward(context: Any, slope: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return slope, None


class Watched(Rare):
    """Counts the graphs of earlier micro-batches that are alive when a loss is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.graphs: list[weakref.ref[Kept]] = []
        self.alive: list[int] = []

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        self.alive.append(sum(graph() is not None for graph in self.graphs))
        kept = Kept()
        self.graphs.append(weakref.ref(kept))
        held: Tensor = Hold.apply(super().loss(model, seed, batch_size), kept)  # type: ignore[no-untyped-call]
        return held


def test_nothing_of_a_micro_batch_is_held_when_the_next_begins() -> None:
    task = Watched()
    made, vector = bench(Recipe(task, 8, AdamW(learning_rate=0.1), micro_batch=2))
    made.gradient(vector, SEED)
    assert task.alive == [0, 0, 0, 0]


def test_bf16_is_near_float32_the_same_each_time_and_given_in_float32() -> None:
    exact, vector = bench(digits())
    short, _ = bench(replace(digits(), precision="bf16"))
    one, other = exact.gradient(vector, SEED), short.gradient(vector, SEED)
    assert other.dtype == torch.float32
    assert torch.equal(short.gradient(vector, SEED), other)
    difference = float((one - other).norm() / one.norm())
    assert 1e-4 < difference < 3e-2


def test_a_float32_gradient_is_one_even_within_the_callers_autocast() -> None:
    exact, vector = bench(digits())
    expected = exact.gradient(vector, SEED)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(exact.gradient(vector, SEED), expected)


def test_fp16_is_refused_on_a_cpu() -> None:
    with pytest.raises(ConfigurationError, match="use a CUDA device, or bf16"):
        Engine(replace(digits(), precision="fp16"), BlobStore(1), bytes(32))


class Masked(Rare):
    """A loss over a share of its inputs, drawn from the micro-batch's seed."""

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        mask = bernoulli(seed, "mask", (batch_size, 3), 0.5)
        loss: Tensor = model(mask.float()).square().mean()
        return loss


def test_micro_batches_differ_from_each_other() -> None:
    made, vector = bench(Recipe(Masked(), 8, AdamW(learning_rate=0.1), micro_batch=4))
    seeds = [seed for seed, _ in micro_batches(made._recipe, SEED)]
    alone, _ = bench(Recipe(Masked(), 4, AdamW(learning_rate=0.1)))
    first, second = (alone.gradient(vector, seed) for seed in seeds)
    assert not torch.equal(first, second)
