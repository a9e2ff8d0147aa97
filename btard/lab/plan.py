"""What the texts of an experiment name, made and tried before anything is trained."""

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

REHEARSED_COORDINATES = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of one experiment; `attack` is None where nobody attacks."""

    task: Classifier
    partition: Partition
    estimator: Estimator
    aggregation: ByRule | ByCode
    attack: Attack | None


def check(experiment: Experiment) -> Plan:
    """The experiment's parts; reads no data.

    Raises ConfigurationError for whatever could not be trained, too few workers for the rule or an attack
    that cannot be among so many included: rule and attack are tried on a few random numbers.
    """
    task = load_recipe(experiment.task).task
    if not isinstance(task, Classifier):
        raise ConfigurationError(
            f"the lab trains classifiers: {experiment.task!r} is none, choose another task"
        )
    plan = Plan(
        task,
        parse_partition(experiment.heterogeneity),
        estimators.parse(experiment.estimator),
        parse_aggregation(experiment),
        None if experiment.attack == "none" else attacks.parse(experiment.attack),
    )
    if isinstance(plan.aggregation, ByCode) and parse_terms(experiment.estimator)[-1].name != "gradient":
        raise ConfigurationError(
            f"{experiment.rule!r} codes gradients, not {experiment.estimator!r}:"
            ' choose the estimator "gradient", clipped or not'
        )
    if experiment.momentum == 0 and experiment.nesterov:
        raise ConfigurationError("nesterov without momentum is nothing: give momentum > 0")
    _rehearse(experiment, plan)
    return plan


def _rehearse(experiment: Experiment, plan: Plan) -> None:
    shape = (experiment.workers, REHEARSED_COORDINATES)
    rows = torch.randn(shape, generator=generator(experiment.seed, "rehearsal"))
    if isinstance(plan.aggregation, ByRule):
        plan.aggregation.trial(0, rows)
    every_step = replace(experiment, attack_start=0, attack_period=1)
    Attackers(every_step, plan.attack, plan.aggregation.trial).send(0, rows)
