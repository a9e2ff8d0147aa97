"""Restarted SGD: stages end in their average, and come nearer to an optimum than one rate does."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.errors import ConfigurationError
from btard.training import SGD, BlobStore, Engine, RestartedSGD
from btard.training.optimizers import PortableOptimizer, Vectors, halving
from btard.training.tasks.digits import digits

Floats = npt.NDArray[np.float32]


def walk(optimizer: PortableOptimizer, start: Floats, steps: int, noise: float = 0.0) -> list[Floats]:
    """The models x_0 ... x_steps of a quadratic, f = |x|^2 / 2, with noise in the gradient."""
    rng = np.random.default_rng(7)
    slots = len(optimizer.slots)
    old, new = (Vectors(start.copy(), tuple(np.zeros((slots, len(start)), np.float32))) for _ in range(2))
    models = [start]
    for count in range(steps):
        gradient = old.parameters + (noise * rng.normal(size=len(start))).astype(np.float32)
        optimizer.update(count, old, gradient, new, optimizer.segments([("w", len(start))]))
        old, new = new, old
        models.append(old.parameters.copy())
    return models


def test_a_stage_ends_in_the_average_of_the_models_that_its_gradients_were_taken_at() -> None:
    restarted = RestartedSGD(learning_rate=0.1, stages=((4, 1.0), (3, 0.5)))
    models = walk(restarted, np.linspace(1, 2, 5, dtype=np.float32), 9)
    plain = walk(SGD(learning_rate=0.1), models[0], 3)
    for mine, theirs in zip(models[:4], plain, strict=True):
        assert np.array_equal(mine, theirs)
    assert np.allclose(models[4], np.mean(models[:4], axis=0), rtol=1e-6)
    second = walk(SGD(learning_rate=0.05), models[4], 2)
    for mine, theirs in zip(models[4:7], second, strict=True):
        assert np.array_equal(mine, theirs)
    assert np.allclose(models[7], np.mean(models[4:7], axis=0), rtol=1e-6)
    # After the last stage it goes on at its rate.
    for mine, theirs in zip(models[7:], walk(SGD(learning_rate=0.05), models[7], 2), strict=True):
        assert np.array_equal(mine, theirs)


def test_under_noise_stages_come_nearer_to_the_optimum_than_one_rate() -> None:
    start = np.full(200, 3.0, np.float32)
    steps = 1000
    restarted = RestartedSGD(learning_rate=0.3, stages=halving(steps, 5))
    mine = float(np.linalg.norm(walk(restarted, start, steps, noise=3.0)[-1]))
    one_rate = float(np.linalg.norm(walk(SGD(learning_rate=0.3), start, steps, noise=3.0)[-1]))
    assert mine < one_rate / 5


@given(total=st.integers(1, 10**6), count=st.integers(-1, 12))
def test_halving_makes_stages_of_all_updates_each_twice_as_long_at_half_the_rate(
    total: int, count: int
) -> None:
    if count < 1 or total < 2 * (2**count - 1):
        with pytest.raises(ConfigurationError, match="updates or more"):
            halving(total, count)
        return
    stages = halving(total, count)
    assert sum(length for length, _ in stages) == total
    assert [factor for _, factor in stages] == [2.0**-index for index in range(count)]
    assert stages[0][0] >= 2
    lengths = [length for length, _ in stages]
    assert all(abs(after - 2 * before) <= count + 1 for before, after in pairwise(lengths))


@pytest.mark.parametrize("stages", [(), ((0, 1.0),), ((1, 0.0),), ((1, float("inf")),), ((1, float("nan")),)])
def test_stages_that_cannot_be_are_refused(stages: tuple[tuple[int, float], ...]) -> None:
    with pytest.raises(ConfigurationError, match="stage"):
        RestartedSGD(learning_rate=0.1, stages=stages)


def test_a_run_goes_on_from_a_checkpoint_within_a_stage() -> None:
    recipe = replace(digits(), optimizer=RestartedSGD(learning_rate=0.1, stages=((4, 1.0), (4, 0.5))))

    def advance(engine: Engine) -> None:
        step = engine.step
        rows = engine.gradient(step, bytes([step]) * 32, 1)
        engine.update(step, rows)
        engine.adopt(step, rows)

    engine, other = (Engine(recipe, BlobStore(1 << 24), bytes(32)) for _ in range(2))
    for _ in range(2):
        advance(engine)
    other.restore(engine.checkpoint())
    for _ in range(4):
        advance(engine)
        advance(other)
    assert other.model_digest == engine.model_digest
