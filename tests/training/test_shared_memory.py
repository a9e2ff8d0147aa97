"""What the engine hands out never changes, though its vectors share memory and take each other's in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from btard.codec import FP32
from btard.memory import is_mapped
from btard.training import LAMB, BlobStore, Engine, Recipe
from btard.training.bench import Bench

ROOT = Path(__file__).parents[2]
SEED = bytes(range(32))

UNITS_MAX = 12.0
"""The bar is 14; the engine alone takes about 10, to which a swarm adds what is on its way."""


class Wide:
    """A network of 290,000 parameters, large enough for memory of its own, whose tensors end unevenly."""

    name = "wide"

    def build(self, seed: bytes) -> nn.Module:
        return nn.Sequential(nn.Linear(7, 501), nn.GELU(), nn.Linear(501, 571), nn.GELU(), nn.Linear(571, 3))

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        loss: Tensor = model(torch.randn(batch_size, 7)).square().mean()
        return loss

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"loss": float(model(torch.ones(1, 7)).square().mean())}


def recipe() -> Recipe:
    return Recipe(Wide(), batch_size=4, optimizer=LAMB(learning_rate=0.01, max_norm=1.0))


def engine() -> Engine:
    made = Engine(recipe(), BlobStore(1 << 30), bytes(32))
    assert is_mapped(made.dimension)
    return made


def step(one: Engine, seed: bytes = SEED) -> None:
    one.update(one.step, one.gradient(one.step, seed, 3))
    one.adopt(one.step)


def test_gradients_and_metrics_are_the_same_bits_after_the_parameters_had_no_memory() -> None:
    kept, rested = (Bench(recipe(), SEED, torch.device("cpu")) for _ in range(2))
    vector = engine().parameters
    for _ in range(2):
        assert torch.equal(kept.gradient(vector, SEED), rested.gradient(vector, SEED))
        assert kept.evaluate(vector) == rested.evaluate(vector)
        rested.rest()
        assert sum(parameter.numel() for parameter in rested._parameters) == 0
    assert all(
        torch.equal(a, b)
        for a, b in zip(kept.tensors(vector).values(), rested.tensors(vector).values(), strict=True)
    )


def test_a_checkpoint_stays_what_it_was_while_the_engine_goes_on() -> None:
    one, again = engine(), engine()
    step(one)
    checkpoint = one.checkpoint()
    digest, aggregate = checkpoint.model_digest, checkpoint.aggregate
    assert aggregate is not None
    copied = aggregate.clone()
    for k in range(5):
        step(one, bytes([k]) * 32)
    assert checkpoint.model_digest == digest
    assert torch.equal(aggregate, copied)
    again.restore(checkpoint)
    for k in range(5):
        step(again, bytes([k]) * 32)
    assert again.model_digest == one.model_digest == one.checkpoint().model_digest


def test_blobs_stay_what_they_were_when_their_gradient_is_forgotten() -> None:
    one = engine()
    names = one.gradient(0, SEED, 5)
    before = [bytes(one.store.get(name) or b"") for name in names]
    held = [one.store.get(name) for name in names]
    for k in range(6):
        step(one, bytes([k]) * 32)
    assert not any(name in one.store for name in names)
    assert [bytes(data or b"") for data in held] == before
    assert [BlobStore(1 << 30).put(data) for data in before] == list(names)


def test_parameters_and_the_step_before_stay_what_they_were() -> None:
    one, other = engine(), engine()
    step(one)
    step(other)
    parameters, gradient = one.parameters, other.gradient_vector(0, bytes(32)).clone()
    one.gradient(1, SEED, 2)
    for _ in range(3):  # attempts that end in no step
        one.update(1, one.gradient(1, SEED, 4))
    assert torch.equal(one.gradient_vector(0, bytes(32)), gradient)
    assert torch.equal(one.parameters, parameters)


def test_two_engines_that_take_turns_do_as_each_alone() -> None:
    alone, one, other = engine(), engine(), engine()
    for k in range(3):
        step(alone, bytes([k]) * 32)
    for k in range(3):
        step(one, bytes([k]) * 32)
        step(other, bytes([k]) * 32)
    assert alone.model_digest == one.model_digest == other.model_digest


def test_what_is_shared_is_what_is_encoded() -> None:
    vector = torch.randn(300_000)
    assert FP32.share(vector) == FP32.encode(vector)
    assert torch.equal(FP32.decode(FP32.share(vector[5:77])), vector[5:77])


def peak_bytes(optimizer: str, dimension: int) -> int:
    """The peak of a process whose engine does what a peer does, four steps long."""
    command = [sys.executable, "-m", "benchmarks.memory", "--child", "engine", optimizer]
    environment = {**os.environ, "MEMORY_BENCHMARK_D": str(dimension), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return max(json.loads(done.stdout.splitlines()[-1])["peak_bytes"].values())


@pytest.mark.parametrize("optimizer", ["adamw", "lamb"])
def test_an_engine_takes_no_more_copies_of_the_model_than_it_needs(optimizer: str) -> None:
    dimension = 6_000_000
    above = peak_bytes(optimizer, dimension) - peak_bytes(optimizer, 1000)
    assert above / (4 * dimension) <= UNITS_MAX
