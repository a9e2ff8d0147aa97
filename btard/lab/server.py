"""The server: how an aggregate moves the parameters."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from btard.estimators import AnytimeAveraging
from btard.lab.experiment import Experiment


class SgdServer:
    """torch.optim.SGD on the parameter vector (d,)."""

    def __init__(self, parameters_D: Tensor, experiment: Experiment) -> None:
        self.parameters = parameters_D
        self._experiment = experiment
        self._leaf = nn.Parameter(parameters_D)  # shares the memory
        self._optimizer = torch.optim.SGD(
            [self._leaf],
            lr=experiment.learning_rate,
            momentum=experiment.momentum,
            nesterov=experiment.nesterov,
            weight_decay=experiment.weight_decay,
        )

    def advance(self, step: int, aggregate_D: Tensor) -> None:
        """Move the parameters by the aggregate (d,) of `step`."""
        self._optimizer.param_groups[0]["lr"] = learning_rate(self._experiment, step)
        self._leaf.grad = aggregate_D
        self._optimizer.step()


class AveragingServer:
    """An estimator's own averaging of iterates: `parameters` is the average, at which gradients are taken."""

    def __init__(self, parameters_D: Tensor, experiment: Experiment, averaging: AnytimeAveraging) -> None:
        self.parameters = parameters_D
        self._iterate_D = parameters_D
        self._experiment = experiment
        self._averaging = averaging

    def advance(self, step: int, aggregate_D: Tensor) -> None:
        """Move the parameters by the aggregate (d,) of `step`."""
        rate = learning_rate(self._experiment, step)
        self.parameters, self._iterate_D = self._averaging.advance(
            step, self.parameters, self._iterate_D, aggregate_D, rate
        )


def learning_rate(experiment: Experiment, step: int) -> float:
    """Return the rate of `step`: constant, or lr (1 + cos(pi step / steps)) / 2, CosineAnnealingLR's to 0."""
    if experiment.schedule == "constant":
        return experiment.learning_rate
    return experiment.learning_rate * (1.0 + math.cos(math.pi * step / experiment.steps)) / 2.0
