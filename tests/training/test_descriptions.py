"""What a run's description says of a recipe, and what it refuses to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from btard.data import Images
from btard.errors import ConfigurationError, RunMismatchError
from btard.run.config import RunPlan
from btard.training import AdamW, BlobStore, Recipe, register
from btard.training.optimizers import LAMB, NO_DECAY, SGD, WarmupLinear
from btard.training.spelling import spell
from btard.training.start import describe_start
from btard.training.tasks.classifier import Classifier
from btard.training.tasks.digits import digits


def named_function(optimizer: torch.optim.Optimizer) -> None:
    """A function that every process finds in this module."""


@dataclass(frozen=True)
class Sawtooth:
    """A schedule of somebody else."""

    teeth: int = 3

    def factor(self, count: int) -> float:
        return (count % self.teeth + 1) / self.teeth


def test_a_portable_optimizer_is_described_by_its_name_and_all_its_arguments() -> None:
    lamb = LAMB(learning_rate=0.00176, weight_decay=0.01, groups=NO_DECAY, schedule=WarmupLinear(5, 9))
    described = replace(digits(), optimizer=lamb).describe()
    assert described["profile"] == "portable"
    assert described["optimizer"] == (
        "LAMB(learning_rate=0.00176, schedule=WarmupLinear(warmup=5, total=9), weight_decay=0.01, "
        "groups=(('*bias', 0.0), ('*[Nn]orm*', 0.0)), max_norm=None, beta1=0.9, beta2=0.999, eps=1e-06, "
        "norm_max=10000.0)"
    )
    assert described["scheduler"] == "none"


def test_a_schedule_from_another_module_is_described_with_its_module() -> None:
    assert spell(SGD(learning_rate=0.1, schedule=Sawtooth())).startswith(
        f"SGD(learning_rate=0.1, schedule={__name__}.Sawtooth(teeth=3), "
    )


def test_a_portable_optimizer_takes_no_scheduler_of_torch() -> None:
    scheduler = partial(torch.optim.lr_scheduler.StepLR, step_size=1)
    with pytest.raises(ConfigurationError, match="takes a `schedule` of its own"):
        replace(digits(), scheduler=scheduler)


def _closure() -> Callable[..., Any]:
    def inside(named: object) -> None: ...

    return inside


UNNAMED = {
    "a lambda": lambda named: torch.optim.SGD(named, lr=0.1),
    "a function within another": _closure(),
    "an object": object(),
    "a tensor": partial(torch.optim.SGD, lr=torch.ones(1)),
    "a lambda in a partial": partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda step: 1.0),
    "a bound method": digits().task.build,
}


@pytest.mark.parametrize("thing", UNNAMED.values(), ids=UNNAMED)
def test_what_has_no_text_in_another_process_is_refused_when_the_run_is_made(
    thing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("btard.training.registry.TASKS", {"unnamed": f"{__name__}:UNNAMED_RECIPE"})
    monkeypatch.setattr(
        "tests.training.test_descriptions.UNNAMED_RECIPE", replace(digits(), optimizer=thing), raising=False
    )
    with pytest.raises(ConfigurationError, match="cannot be described to other peers: use a function"):
        RunPlan.create("unnamed", steps=1, peers=2)


def test_a_function_of_a_module_is_described_by_its_name() -> None:
    factory = partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=named_function)
    assert spell(factory) == f"torch.optim.lr_scheduler.LambdaLR(lr_lambda={__name__}.named_function)"


# ---------------------------------------------------------------- where a run starts

IMAGES = Images(
    "made up", torch.ones(4, 3), torch.tensor([0, 1, 0, 1]), torch.ones(2, 3), torch.tensor([0, 1]), 2
)


def linear() -> nn.Module:
    return nn.Linear(3, 2)


def small(images: Images = IMAGES, model: Callable[[], nn.Module] = linear, name: str = "small") -> Recipe:
    return Recipe(Classifier(name, lambda: images, model), 1, AdamW(learning_rate=0.1))


def other_pixel() -> Images:
    pixels = IMAGES.train_images.clone()
    pixels[3, 2] += 2.0**-23
    return replace(IMAGES, train_images=pixels)


CHANGED: dict[str, tuple[Recipe, set[str]]] = {
    "nothing": (small(), set()),
    "one pixel": (small(other_pixel()), {"data images"}),
    "one label": (small(replace(IMAGES, test_labels=torch.tensor([0, 0]))), {"data images"}),
    "another layer": (
        small(model=lambda: nn.Sequential(nn.Linear(3, 2), nn.ReLU())),
        {"architecture", "initial model"},
    ),
    "an argument of a layer": (
        small(model=lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.1))),
        {"architecture", "initial model"},
    ),
    "other weights": (small(name="other"), {"initial model"}),
}


@pytest.mark.parametrize(("other", "differing"), CHANGED.values(), ids=CHANGED)
def test_the_start_of_a_run_differs_with_data_architecture_and_weights(
    other: Recipe, differing: set[str]
) -> None:
    mine, theirs = (describe_start(recipe, bytes(32)) for recipe in (small(), other))
    assert {name for name in mine if mine[name] != theirs[name]} == differing
    assert describe_start(small(), bytes([1]) * 32)["initial model"] != mine["initial model"]


def test_layers_that_differ_in_an_argument_alone_are_told_apart() -> None:
    dropped = [
        small(model=lambda p=p: nn.Sequential(nn.Linear(3, 2), nn.Dropout(p)))  # type: ignore[misc]
        for p in (0.1, 0.2)
    ]
    mine, theirs = (describe_start(recipe, bytes(32)) for recipe in dropped)
    assert mine["architecture"] != theirs["architecture"]
    assert mine["initial model"] == theirs["initial model"]


RECIPE = small()


def test_a_peer_with_other_data_is_refused_before_it_has_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    register("small", f"{__name__}:RECIPE")
    run = RunPlan.create("small", steps=1, peers=2)
    assert run.engine(BlobStore(1)).dimension == 8
    monkeypatch.setattr("tests.training.test_descriptions.RECIPE", small(other_pixel()))
    with pytest.raises(RunMismatchError, match=r"starts from something else: data images \(\w+ here, \w+ th"):
        run.engine(BlobStore(1))


def test_a_machine_that_rounds_otherwise_is_told_so_and_may_join_runs_of_like_hardware(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register("small", f"{__name__}:RECIPE")
    portable = RunPlan.create("small", steps=1, peers=2)
    monkeypatch.setattr("btard.training.probe.EXPECTED", bytes(32))
    with pytest.raises(RunMismatchError, match=r"rounds the known update of protocols/update\.md otherwise"):
        portable.engine(BlobStore(1))
    like = replace(RECIPE, optimizer=partial(torch.optim.SGD, lr=0.1))
    monkeypatch.setattr("tests.training.test_descriptions.RECIPE", like)
    assert RunPlan.create("small", steps=1, peers=2).engine(BlobStore(1)).dimension == 8
