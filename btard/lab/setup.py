"""The parts that the texts of an experiment name, made and tried before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from btard import attacks, estimators
from btard.attacks import Attack
from btard.errors import ConfigurationError
from btard.estimators import Estimator
from btard.lab.aggregation import ByCode, ByRule, parse_aggregation
from btard.lab.attackers import Attackers
from btard.lab.experiment import Experiment
from btard.lab.partition import Partition, parse_partition
from btard.lab.seeds import generator
from btard.terms import parse_terms
from btard.training import load_recipe
from btard.training.tasks.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Setup:
    """The parts of one experiment; `attack` is None if nobody attacks."""

    task: Classifier
    partition: Partition
    estimator: Estimator
    aggregation: ByRule | ByCode
    attack: Attack | None


def prepare(experiment: Experiment) -> Setup:
    """Return the parts of the experiment. Read no data.

    Raises ConfigurationError if it cannot be trained, also if the rule or the attack is impossible with this
    number of workers: both are tried on a few random numbers.
    """
    task = load_recipe(experiment.task).task
    if not isinstance(task, Classifier):
        raise ConfigurationError(
            f"task is {experiment.task!r}: choose a classifier, the lab trains nothing else"
        )
    setup = Setup(
        task,
        parse_partition(experiment.heterogeneity),
        estimators.parse(experiment.estimator),
        parse_aggregation(experiment),
        None if experiment.attack == "none" else attacks.parse(experiment.attack),
    )
    if isinstance(setup.aggregation, ByCode) and parse_terms(experiment.estimator)[-1].name != "gradient":
        raise ConfigurationError(
            f"{experiment.rule!r} codes gradients, not {experiment.estimator!r}:"
            ' choose the estimator "gradient", clipped or not'
        )
    if experiment.momentum == 0 and experiment.nesterov:
        raise ConfigurationError("nesterov is true and momentum is 0: give momentum > 0")
    _rehearse(experiment, setup)
    return setup


def _rehearse(experiment: Experiment, setup: Setup) -> None:
    rows = torch.randn(experiment.workers, 8, generator=generator(experiment.seed, "rehearsal"))
    if isinstance(setup.aggregation, ByRule):
        setup.aggregation.trial(0, rows)
    every_step = replace(experiment, attack_start=0, attack_period=1)
    Attackers(every_step, setup.attack, setup.aggregation.trial).send(0, rows)
