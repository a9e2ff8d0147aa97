"""Metrics of a task: any names, numbers only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from btard.errors import ConfigurationError
from btard.training import Engine
from tests.training.conftest import Noisy


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
