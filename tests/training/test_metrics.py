"""Numbers for people: metrics of any name, the training loss, how far a gradient is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from btard.errors import ConfigurationError
from btard.training import Engine
from btard.training.determinism import seeded
from tests.training.conftest import Noisy, seed_of


class Graded(Noisy):
    """Its metrics are what a test says."""

    def __init__(self, found: Any) -> None:
        self._found = found

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        found: dict[str, float] = self._found
        return found


def test_metrics_have_any_names_and_keep_their_order(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(Graded({"perplexity": torch.tensor(7.5), "accuracy": 1, "bits": float("inf")}))
    assert list(engine.evaluate().items()) == [("perplexity", 7.5), ("accuracy", 1.0), ("bits", float("inf"))]
    assert {type(value) for value in engine.evaluate().values()} == {float}


@pytest.mark.parametrize("found", [0.5, None, (0.5, 0.9), {"loss": "low"}, {"loss": torch.ones(2)}])
def test_a_task_whose_metrics_are_not_numbers_is_told_what_to_return(
    found: object, make_engine: Callable[..., Engine]
) -> None:
    with pytest.raises(ConfigurationError, match=r"evaluate of task noisy .*return a mapping such as"):
        make_engine(Graded(found)).evaluate()


def test_the_training_loss_is_of_the_own_gradient_whatever_else_was_recomputed(
    make_engine: Callable[..., Engine],
) -> None:
    engine, own, other = make_engine(), seed_of(0, 1), seed_of(0, 2)
    assert engine.training_loss is None
    engine.fingerprint(0, other, bytes(32))
    assert engine.training_loss is None
    engine.gradient(0, own, 3)
    of_own = engine.training_loss
    engine.fingerprint(0, seed_of(0, 3), bytes(32))
    engine.gradient(0, own, 2)
    assert engine.training_loss == of_own
    engine.gradient(0, seed_of(0, 4), 3)
    assert engine.training_loss != of_own


def test_the_training_loss_is_that_of_the_tasks_batch(make_engine: Callable[..., Engine]) -> None:
    engine, seed = make_engine(), seed_of(0, 1)
    engine.gradient(0, seed, 3)
    model = make_engine().bench.module.train()
    with seeded(seed, torch.device("cpu")):
        assert engine.training_loss == float(Noisy().loss(model, seed, 6).detach())


def test_every_gradient_tells_how_far_it_is_and_what_is_known_is_not_taken_again(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine()
    told: list[tuple[int, int]] = []
    engine.on_micro_batch = lambda done, total: told.append((done, total))
    engine.gradient(0, seed_of(0, 1), 3)
    assert told[0][0] == 0
    assert [done for done, _ in told] == list(range(told[-1][1] + 1))
    assert {total for _, total in told} == {told[-1][1]}
    before = len(told)
    engine.gradient(0, seed_of(0, 1), 3)
    assert len(told) == before
    engine.fingerprint(0, seed_of(0, 2), bytes(32))
    assert len(told) == 2 * before
