"""Draws of a task are the specified ones, uniform, and alike on every platform."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from btard.crypto import Draw, keystream
from btard.errors import ConfigurationError
from btard.training.dropout import SeededDropout, reseed, seed_dropout
from btard.training.randomness import bernoulli, integers, permutation

SEED = bytes(range(32))
seeds = st.binary(min_size=32, max_size=32)


@given(seed=seeds, bound=st.integers(1, 2**63 - 1), count=st.integers(0, 40))
@example(seed=SEED, bound=2**62 + 1, count=40)
@example(seed=SEED, bound=2**63 - 1, count=40)
@example(seed=SEED, bound=1, count=3)
def test_integers_are_those_of_a_draw(seed: bytes, bound: int, count: int) -> None:
    draw = Draw(seed, "numbers")
    assert integers(seed, "numbers", bound, count).tolist() == [draw.below(bound) for _ in range(count)]


def test_a_draw_with_many_rejections_takes_more_words() -> None:
    """Of the bound 2^63 - 2^61 an eighth and more of all words are left out."""
    bound = 2**63 - 2**61
    drawn = integers(SEED, "numbers", bound, 1000)
    words = np.frombuffer(keystream(SEED, "numbers", 8000), ">u8")
    assert (words >= 2**64 - 2**64 % bound).sum() > 50
    assert len(drawn) == 1000
    assert int(drawn.max()) < bound


@given(
    seed=seeds, shape=st.lists(st.integers(0, 5), max_size=3), probability=st.floats(0, 1, allow_nan=False)
)
@example(seed=SEED, shape=[5, 5], probability=1.0)
@example(seed=SEED, shape=[5, 5], probability=0.0)
def test_an_element_of_a_mask_is_a_word_below_the_probability(
    seed: bytes, shape: list[int], probability: float
) -> None:
    stream = keystream(seed, "mask", 4 * math.prod(shape))
    words = [int.from_bytes(stream[i : i + 4], "little") for i in range(0, len(stream), 4)]
    mask = bernoulli(seed, "mask", shape, probability)
    assert list(mask.shape) == shape
    assert mask.reshape(-1).tolist() == [word < int(probability * 2**32) for word in words]


@given(seed=seeds, count=st.integers(0, 50))
def test_a_permutation_has_each_number_once_in_the_order_of_its_word(seed: bytes, count: int) -> None:
    stream = keystream(seed, "order", 8 * count)
    words = [int.from_bytes(stream[8 * i : 8 * i + 8], "little") for i in range(count)]
    order = permutation(seed, "order", count).tolist()
    assert order == sorted(range(count), key=lambda index: (words[index], index))


def test_draws_have_the_frequencies_that_they_should() -> None:
    """Each bound is six standard deviations or more away."""
    numbers = torch.bincount(integers(SEED, "numbers", 10, 100_000))
    assert (numbers - 10_000).abs().max() < 600
    assert abs(float(bernoulli(SEED, "mask", (100_000,), 0.15).double().mean()) - 0.15) < 0.007
    first = torch.tensor(
        [int(permutation(bytes([i, j]), "order", 5)[0]) for i in range(40) for j in range(50)]
    )
    assert (torch.bincount(first) - 400).abs().max() < 110


@pytest.mark.parametrize("bound", [0, -1, 2**63])
def test_a_bound_without_numbers_is_refused(bound: int) -> None:
    with pytest.raises(ConfigurationError, match="use 1 to 2\\^63 - 1"):
        integers(SEED, "numbers", bound, 1)


@pytest.mark.parametrize("probability", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused(probability: float) -> None:
    with pytest.raises(ConfigurationError, match="use 0 to 1"):
        bernoulli(SEED, "mask", (1,), probability)
    with pytest.raises(ConfigurationError, match="use 0 to less than 1"):
        SeededDropout(probability)


# ---------------------------------------------------------------- dropout


def twice() -> nn.Module:
    """A model that calls one dropout twice, as ALBERT does its shared layers."""
    shared = SeededDropout(0.25)
    return nn.Sequential(shared, nn.Linear(400, 400), shared)


def test_a_mask_is_a_function_of_seed_path_and_call() -> None:
    model, ones = nn.Sequential(SeededDropout(0.25), SeededDropout(0.25)), torch.ones(10, 40)
    reseed(model, SEED)
    for calls in range(2):
        for path, module in enumerate(model):
            mask = bernoulli(SEED, f"dropout {path} {calls}", (10, 40), 0.75)
            assert torch.equal(module(ones), mask / 0.75)
    torch.manual_seed(1)
    reseed(model, SEED)
    assert torch.equal(model[0](ones), bernoulli(SEED, "dropout 0 0", (10, 40), 0.75) / 0.75)
    assert not torch.equal(model[0](ones), model[1](ones))


def test_a_seed_gives_the_same_again_and_another_something_else() -> None:
    model, ones = twice(), torch.ones(1, 400)
    results = []
    for seed in (SEED, SEED, bytes(32)):
        reseed(model, seed)
        results.append(model(ones))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_evaluation_drops_nothing_and_needs_no_seed() -> None:
    ones = torch.ones(5)
    assert torch.equal(SeededDropout(0.5).eval()(ones), ones)
    assert torch.equal(SeededDropout(0.0)(ones), ones)
    with pytest.raises(ConfigurationError, match="call reseed"):
        SeededDropout(0.5)(ones)


def test_each_dropout_of_a_model_can_be_replaced() -> None:
    model = nn.ModuleDict({"a": nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.3)), "b": nn.Dropout(0.2)})
    seed_dropout(model)
    assert [(path, each.p) for path, each in model.named_modules() if isinstance(each, SeededDropout)] == [
        ("a.1", 0.3),
        ("b", 0.2),
    ]
    assert not any(type(each) is nn.Dropout for each in model.modules())
