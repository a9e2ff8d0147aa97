"""Tasks: found by name, and digits learns."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch

from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.training import TASKS, BlobStore, Engine, Recipe, known_tasks, load_recipe, register
from btard.training.tasks.digits import digits


def test_an_unknown_task_is_refused_with_the_names_of_those_that_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"no task 'dogs'.*digits"):
        load_recipe("dogs")


def test_a_task_registers_by_name_and_is_imported_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btard.training.registry.TASKS", dict(TASKS))
    register("again", "btard.training.tasks.digits:digits")
    register("later", "no.such.module:yet")
    assert {"again", "digits", "later"} <= set(known_tasks())
    assert load_recipe("again").describe() == digits().describe()
    with pytest.raises(ConfigurationError, match="exists already"):
        register("again", "another:one")
    with pytest.raises(ConfigurationError, match="module:attribute"):
        register("crooked", "module.attribute")


def test_a_recipe_says_in_text_what_peers_must_agree_on() -> None:
    recipe = Recipe(digits().task, 8, partial(torch.optim.Adam, lr=0.1, betas=(0.9, 0.99)), clip=1.5)
    assert recipe.describe() == {
        "task": "digits",
        "batch_size": "8",
        "optimizer": "torch.optim.adam.Adam(betas=(0.9, 0.99), lr=0.1)",
        "scheduler": "none",
        "clip": "1.5",
        "projections": "4",
    }


@pytest.mark.parametrize(
    "change", [{"batch_size": 0}, {"projections": 0}, {"clip": 0.0}, {"clip": float("inf")}]
)
def test_a_recipe_that_cannot_be_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="use"):
        replace(digits(), **change)  # type: ignore[arg-type]


def test_eight_peers_learn_digits_to_97_percent_in_100_steps() -> None:
    peers = 8
    engine = Engine(digits(), BlobStore(1 << 26), bytes(32))
    assert engine.evaluate().accuracy < 0.3
    for step in range(100):
        seeds = [digest("test", bytes([step, peer])) for peer in range(peers)]
        rows = [engine.gradient(step, seed, 1) for seed in seeds]
        aggregate, _ = engine.aggregate(tuple(row[0] for row in rows), 1.0)
        assert aggregate is not None
        engine.update(step, (aggregate,))
        engine.adopt(step)
    assert engine.evaluate().accuracy >= 0.97


def test_digits_starts_alike_on_every_platform() -> None:
    """The initial parameters come from the keystream by exact arithmetic: these bytes are normative."""
    engine = Engine(digits(), BlobStore(1 << 20), bytes(32))
    assert engine.dimension == 50_826
    assert digest("test", engine.parameters.numpy().astype("<f4").tobytes()).hex()[:16] == "e7afc73698480383"


def test_the_loss_of_a_digits_batch_is_what_it_always_was() -> None:
    """A validator of another version recomputes the same batch: the draw of its images is normative."""
    task = digits().task
    model = task.build(bytes(32))
    losses = [float(task.loss(model, bytes([index]) * 32, 32).detach()) for index in range(3)]
    assert losses == pytest.approx([2.3297684, 2.3014784, 2.3263268], abs=1e-6)
