"""An update is what protocols/update.md says to the last bit, and what the papers say up to rounding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from btard.errors import ConfigurationError
from btard.training.optimizers import (
    LAMB,
    NO_DECAY,
    SGD,
    AdamW,
    Decay,
    PortableOptimizer,
    RestartedSGD,
    Vectors,
    WarmupLinear,
)
from btard.training.optimizers.arithmetic import BLOCK
from tests.training.optimizers.definitions import DEFINITIONS, clipped

Floats = npt.NDArray[np.float32]

OPTIMIZERS: dict[str, PortableOptimizer] = {
    "sgd": SGD(learning_rate=0.1),
    "momentum": SGD(learning_rate=0.1, momentum=0.9, weight_decay=0.01, max_norm=1.0),
    "nesterov": SGD(learning_rate=0.05, momentum=0.9, nesterov=True, schedule=Decay(0.5, every=2)),
    "adamw": AdamW(learning_rate=1e-2, weight_decay=0.1, groups=(("*bias", 0.0),), beta2=0.99),
    "adamw without decay": AdamW(learning_rate=1e-3, schedule=WarmupLinear(2, 9)),
    "lamb": LAMB(learning_rate=1e-2, weight_decay=0.1, groups=(("*bias", 0.0),), max_norm=1.0),
    "restarted": RestartedSGD(
        learning_rate=0.1,
        stages=((2, 1.0), (2, 0.5)),
        weight_decay=0.1,
        groups=(("*bias", 0.0),),
        max_norm=1.0,
    ),
    "restarted, past its stages": RestartedSGD(learning_rate=0.1, stages=((1, 0.5),)),
    "lamb with a small bound": LAMB(learning_rate=1e-2, norm_max=0.5),
}
by_name = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)


def run(
    optimizer: PortableOptimizer, sizes: list[tuple[str, int]], parameters: Floats, gradients: list[Floats]
) -> list[Floats]:
    """Parameters and slots after all updates."""
    slots = len(optimizer.slots)
    old, new = (
        Vectors(parameters.copy(), tuple(np.zeros_like(parameters) for _ in range(slots))) for _ in range(2)
    )
    for count, gradient in enumerate(gradients):
        optimizer.update(count, old, gradient, new, optimizer.segments(sizes))
        old, new = new, old
    return [old.parameters, *old.moments]


def defined(
    optimizer: PortableOptimizer, sizes: list[tuple[str, int]], parameters: Floats, gradients: list[Floats]
) -> list[Floats]:
    """The same by the literal definitions."""
    state = [parameters.tolist(), *([0.0] * len(parameters) for _ in optimizer.slots)]
    for count, gradient in enumerate(gradients):
        whole, after = clipped(gradient.tolist(), optimizer.max_norm), [[] for _ in state]
        start = 0
        for name, size in sizes:
            part = slice(start, start + size)
            bias = bool(optimizer.groups) and name.endswith("bias")
            decay = 0.0 if bias else optimizer.weight_decay
            pieces = DEFINITIONS[type(optimizer)](
                optimizer, count, decay, state[0][part], whole[part], [slot[part] for slot in state[1:]]
            )
            for column, piece in zip(after, pieces, strict=True):
                column += piece
            start += size
        state = after
    return [np.array(column, np.float32) for column in state]


def same(mine: list[Floats], theirs: list[Floats]) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(mine, theirs, strict=True))


numbers = st.floats(width=32, min_value=-(2.0**60), max_value=2.0**60)


@by_name
@given(data=st.data())
def test_an_update_is_the_written_one_to_the_last_bit(optimizer: PortableOptimizer, data: Any) -> None:
    """For numbers of all magnitudes, those included whose squares are subnormal or vanish."""
    sizes = [("a.weight", 3), ("a.bias", 2)]
    drawn = data.draw(st.lists(st.lists(numbers, min_size=5, max_size=5), min_size=2, max_size=4))
    parameters, *gradients = (np.array(row, np.float32) for row in drawn)
    assert same(
        run(optimizer, sizes, parameters, gradients), defined(optimizer, sizes, parameters, gradients)
    )


@by_name
def test_new_parameters_may_be_written_where_the_gradient_is(optimizer: PortableOptimizer) -> None:
    rng = np.random.default_rng(2)
    sizes = [("a.weight", BLOCK + 77), ("a.bias", 1500)]
    total = sum(size for _, size in sizes)
    old, apart, within = (
        Vectors(
            rng.normal(size=total).astype(np.float32),
            tuple(rng.random(total).astype(np.float32) for _ in optimizer.slots),
        )
        for _ in range(3)
    )
    for count in range(4):
        gradient = rng.normal(size=total).astype(np.float32)
        optimizer.update(count, old, gradient, apart, optimizer.segments(sizes))
        within.parameters[:] = gradient
        optimizer.update(count, old, within.parameters, within, optimizer.segments(sizes))
        assert same([within.parameters, *within.moments], [apart.parameters, *apart.moments])


@by_name
def test_tensors_of_more_than_a_block_are_updated_as_written(optimizer: PortableOptimizer) -> None:
    rng = np.random.default_rng(1)
    sizes = [("a.weight", BLOCK + 77), ("a.bias", 1500)]
    d = sum(size for _, size in sizes)
    parameters, *gradients = (rng.normal(0, 0.02, d).astype(np.float32) for _ in range(3))
    assert same(
        run(optimizer, sizes, parameters, gradients), defined(optimizer, sizes, parameters, gradients)
    )


# ---------------------------------------------------------------- the papers, in float64

STEPS = 12


def trained(optimizer: PortableOptimizer) -> tuple[npt.NDArray[np.float64], Floats, list[Floats]]:
    """Parameters after some updates; those before, and the gradients."""
    rng = np.random.default_rng(2)
    parameters = rng.normal(0, 1, 40).astype(np.float32)
    gradients = [rng.normal(0, 1, 40).astype(np.float32) for _ in range(STEPS)]
    after = run(optimizer, [("w", 40)], parameters, gradients)[0]
    return after.astype(np.float64), parameters, gradients


@pytest.mark.parametrize(
    ("optimizer", "reference"),
    [
        (
            SGD(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        ),
        (
            SGD(learning_rate=0.1, momentum=0.9),
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        ),
        (
            AdamW(learning_rate=0.01, weight_decay=0.1, beta2=0.99),
            lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, betas=(0.9, 0.99)),
        ),
    ],
    ids=["nesterov", "momentum", "adamw"],
)
def test_an_optimizer_does_what_torchs_does_in_float64(optimizer: PortableOptimizer, reference: Any) -> None:
    after, parameters, gradients = trained(optimizer)
    theirs = torch.from_numpy(parameters).double().requires_grad_()
    torchs = reference([theirs])
    for gradient in gradients:
        theirs.grad = torch.from_numpy(gradient).double()
        torchs.step()
    np.testing.assert_allclose(after, theirs.detach().numpy(), rtol=0, atol=2e-6)


def test_lamb_is_algorithm_2_of_its_paper() -> None:
    """With bias correction, and a weight decay on a norm that does not reach the bound."""
    after, parameters, gradients = trained(LAMB(learning_rate=0.01, weight_decay=0.1))
    x, m, v = parameters.astype(np.float64), np.zeros(40), np.zeros(40)
    for t, gradient in enumerate(gradients, start=1):
        g = gradient.astype(np.float64)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        r = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6)
        x = x - 0.01 * np.linalg.norm(x) / np.linalg.norm(r + 0.1 * x) * (r + 0.1 * x)
    np.testing.assert_allclose(after, x, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("limit", "factor"), [(1e9, 1.0), (0.5, 0.5 / math.sqrt(8))])
def test_a_long_aggregate_is_clipped_as_a_whole(limit: float, factor: float) -> None:
    optimizer = SGD(learning_rate=1.0, max_norm=limit)
    ones = np.ones(8, np.float32)
    (after,) = run(optimizer, [("a", 4), ("b", 4)], np.zeros(8, np.float32), [ones])
    np.testing.assert_allclose(after, -factor * ones, rtol=1e-6)


def test_a_tensor_of_zeros_moves_with_ratio_one_under_lamb() -> None:
    (after, *_) = run(LAMB(learning_rate=0.5), [("a", 3)], np.zeros(3, np.float32), [np.ones(3, np.float32)])
    np.testing.assert_allclose(after, -0.5 * np.ones(3), rtol=1e-5)
    (still, *_) = run(LAMB(learning_rate=0.5), [("a", 3)], np.ones(3, np.float32), [np.zeros(3, np.float32)])
    assert still.tolist() == [1, 1, 1]


# ---------------------------------------------------------------- groups, and what is refused


def test_the_first_pattern_that_matches_decides_the_decay() -> None:
    optimizer = AdamW(
        learning_rate=1e-3, weight_decay=0.1, groups=(*NO_DECAY, ("head.*", 0.2), ("*.weight", 0.3))
    )
    names = ["layer.weight", "layer.bias", "LayerNorm.weight", "head.weight", "head.bias", "scale"]
    segments = optimizer.segments([(name, index + 1) for index, name in enumerate(names)])
    assert [each.weight_decay for each in segments] == [0.3, 0.0, 0.0, 0.2, 0.0, 0.1]
    assert [(each.start, each.size) for each in segments] == [
        (0, 1),
        (1, 2),
        (3, 3),
        (6, 4),
        (10, 5),
        (15, 6),
    ]


def test_a_pattern_that_matches_nothing_is_a_mistake() -> None:
    optimizer = SGD(learning_rate=0.1, groups=(("*bais", 0.0),))
    with pytest.raises(ConfigurationError, match=r"pattern '\*bais' of groups matches no parameter"):
        optimizer.segments([("a.bias", 1)])


@pytest.mark.parametrize(
    ("kind", "arguments", "what"),
    [
        (SGD, {"learning_rate": 0.0}, "learning_rate is 0.0: use a positive number"),
        (SGD, {"learning_rate": math.nan}, "learning_rate is nan"),
        (SGD, {"momentum": 1.0}, "momentum is 1.0: use 0 to less than 1"),
        (SGD, {"nesterov": True}, "nesterov is True without momentum"),
        (SGD, {"weight_decay": -0.1}, "weight_decay is -0.1"),
        (SGD, {"groups": (("*", math.inf),)}, "weight_decay is inf"),
        (SGD, {"max_norm": 0.0}, "max_norm is 0.0"),
        (AdamW, {"beta1": 1.0}, "beta1 is 1.0"),
        (AdamW, {"beta2": -0.5}, "beta2 is -0.5"),
        (AdamW, {"eps": 0.0}, "eps is 0.0: use at least 1e-30"),
        (LAMB, {"norm_max": -1.0}, "norm_max is -1.0"),
    ],
)
def test_arguments_that_cannot_be_are_refused(kind: Any, arguments: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        kind(**{"learning_rate": 0.1, **arguments})
