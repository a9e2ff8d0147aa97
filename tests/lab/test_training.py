"""Training in the laboratory: the same as without it where nobody attacks, and a function of its seed."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from btard.errors import ConfigurationError
from btard.lab import Experiment, Measurement, Seconds, prepare, run
from btard.lab.sampling import Batches
from btard.lab.seeds import derive, derive_number, generator
from btard.training import TASKS

SMALL = Experiment(workers=6, steps=8, batch_size=8, evaluate_every=4)


def by_hand(experiment: Experiment) -> list[tuple[float, float]]:
    """Held-out loss and accuracy after each step of plain PyTorch on the union of the workers' batches."""
    setup = prepare(experiment)
    data = setup.task.data
    seed = experiment.seed
    held = setup.partition.split(
        data.train_labels.numpy(), experiment.workers, derive_number(seed, "partition")
    )
    batches = Batches(data, held, experiment.batch_size, generator(seed, "batches"), torch.device("cpu"))
    model = setup.task.build(derive(seed, "parameters"))
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=experiment.learning_rate,
        momentum=experiment.momentum,
        nesterov=experiment.nesterov,
        weight_decay=experiment.weight_decay,
    )
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, experiment.steps)
    curve = [evaluate(model, data.test_images, data.test_labels)]
    for _ in range(experiment.steps):
        indices = batches.indices().flatten()
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(data.train_images[indices]), data.train_labels[indices])
        torch.autograd.backward(loss)
        optimizer.step()
        if experiment.schedule == "cosine":
            cosine.step()
        curve.append(evaluate(model, data.test_images, data.test_labels))
    return curve


def evaluate(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    with torch.no_grad():
        logits = model(images)
    return float(functional.cross_entropy(logits, labels)), float(
        (logits.argmax(1) == labels).double().mean()
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "schedule": "cosine"},
        {"momentum": 0.5, "weight_decay": 0.1, "heterogeneity": "labels(count=2)"},
        {"schedule": "cosine", "heterogeneity": "dirichlet(alpha=0.1)", "seed": 3},
    ],
)
def test_without_attackers_the_mean_trains_as_plain_pytorch_does(changes: dict[str, object]) -> None:
    experiment = replace(SMALL, steps=12, evaluate_every=1, **changes)  # type: ignore[arg-type]
    measured = run(experiment).measurements
    assert [m.step for m in measured] == list(range(13))
    for measurement, (loss, accuracy) in zip(measured, by_hand(experiment), strict=True):
        assert measurement.loss == pytest.approx(loss, rel=1e-5)
        assert measurement.accuracy == pytest.approx(accuracy, abs=0.003)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rule": "bucketing(s=2)+median", "byzantine": 1, "attack": "gaussian"},
        {
            "estimator": "mu2",
            "learning_rate": 0.05,
            "byzantine": 1,
            "attack": "optimised_alie",
            "rule": "median",
        },
    ],
)
def test_the_same_seed_gives_the_same_outcome_and_another_seed_another(changes: dict[str, object]) -> None:
    experiment = replace(SMALL, **changes)  # type: ignore[arg-type]
    first = run(experiment)
    torch.rand(3)  # somebody else's draw is none of the laboratory's
    assert replace(run(experiment), seconds=first.seconds) == first
    assert run(replace(experiment, seed=1)).measurements != first.measurements


def test_the_callers_generator_and_switches_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(replace(SMALL, steps=1))
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("estimator", "learning_rate"),
    [("gradient", 0.3), ("momentum(beta=0.8)", 0.3), ("mu2", 0.02), ("clip(norm=1)+mu2", 0.02)],
)
def test_every_estimator_learns(estimator: str, learning_rate: float) -> None:
    experiment = replace(
        SMALL, steps=40, batch_size=32, evaluate_every=40, estimator=estimator, learning_rate=learning_rate
    )
    outcome = run(experiment)
    assert outcome.final.accuracy > 0.7
    assert outcome.final.loss < outcome.measurements[0].loss


def test_worker_momentum_without_attack_is_heavy_ball_on_the_server() -> None:
    """The mean of m_t = beta m_{t-1} + (1 - beta) g_t from 0 is SGD's buffer times 1 - beta."""
    on_workers = replace(SMALL, estimator="momentum(beta=0.9, zero_start=true)", learning_rate=0.5)
    on_server = replace(SMALL, momentum=0.9, learning_rate=0.05)
    for one, other in zip(run(on_workers).measurements, run(on_server).measurements, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-4)


def test_measurements_are_taken_before_every_so_many_steps_and_at_the_end() -> None:
    outcome = run(replace(SMALL, steps=7, evaluate_every=3))
    assert [m.step for m in outcome.measurements] == [0, 3, 6, 7]
    assert outcome.final.step == 7
    assert outcome.diverged is None
    assert outcome.decode_errors == 0


def test_each_measurement_comes_with_the_model_that_was_measured() -> None:
    data = prepare(SMALL).task.data
    told: list[tuple[Measurement, tuple[float, float]]] = []

    def again(measurement: Measurement, model: nn.Module) -> None:
        assert not model.training
        told.append((measurement, evaluate(model, data.test_images, data.test_labels)))

    outcome = run(SMALL, on_measurement=again)
    assert [measurement for measurement, _ in told] == list(outcome.measurements)
    for measurement, (loss, accuracy) in told:
        assert measurement.loss == pytest.approx(loss)
        assert measurement.accuracy == accuracy


def test_each_step_is_told_of_and_its_seconds_are_accounted_for() -> None:
    told: list[int] = []
    ticks = itertools.count()
    experiment = replace(SMALL, steps=3, byzantine=1, attack="ipm", rule="median")
    seconds = run(experiment, on_step=told.append, clock=lambda: float(next(ticks))).seconds
    assert told == [1, 2, 3]
    # Every activity reads the clock twice a step, and the whole run once before and once after all that.
    assert seconds == Seconds(gradients=3.0, encode=0.0, attack=3.0, aggregate=3.0, total=19.0)


@pytest.mark.parametrize("attack", ["sign_flip(scale=1000)", "nan", "inf"])
def test_the_mean_diverges_under_attack_and_that_is_reported(attack: str) -> None:
    told: list[int] = []
    outcome = run(replace(SMALL, steps=60, byzantine=1, attack=attack, attack_start=2), on_step=told.append)
    assert outcome.diverged is not None
    assert outcome.diverged >= 2
    assert len(told) == outcome.diverged
    assert outcome.final.step == 60
    assert outcome.final.loss == math.inf
    assert outcome.final.accuracy == 0.1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rule": "krum", "byzantine": 2}, "needs n >= 2f \\+ 3"),
        ({"rule": "median", "f": 3}, "needs n >= 2f \\+ 1"),
        ({"rule": "nothing"}, "'nothing' is not a rule"),
        ({"rule": "nnm+cyclic", "byzantine": 1}, "'cyclic' is not a rule"),
        ({"rule": "cyclic+mean", "byzantine": 1}, "a code takes no rule beside it"),
        ({"rule": "cyclic(n=4)", "byzantine": 1}, "no argument 'n'"),
        ({"rule": "repetition", "byzantine": 2}, "workers form groups"),
        ({"rule": "cyclic", "byzantine": 1, "estimator": "momentum"}, "codes gradients"),
        ({"rule": "cyclic", "byzantine": 1, "attack": "optimised_ipm"}, "choose another attack"),
        ({"attack": "nothing"}, "'nothing' is not an attack"),
        ({"attack": "alie", "byzantine": 5, "rule": "mean"}, "give it one"),
        ({"estimator": "nothing"}, "'nothing' is not an estimator"),
        ({"heterogeneity": "nothing"}, "'nothing' is not a partition"),
        ({"task": "nothing"}, "there is no task 'nothing'"),
        ({"task": "simulated"}, "task is 'simulated': choose a classifier"),
        ({"nesterov": True}, "give momentum > 0"),
        ({"heterogeneity": "labels(count=11)"}, "there are only 10"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_step(
    changes: dict[str, object], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, "simulated", "btard.simulation.task:recipe")
    told: list[int] = []
    with pytest.raises(ConfigurationError, match=text):
        run(replace(SMALL, **changes), on_step=told.append)  # type: ignore[arg-type]
    assert told == []


@pytest.mark.parametrize("device", ["toaster", "meta", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(ConfigurationError, match=device):
        run(SMALL, device)
