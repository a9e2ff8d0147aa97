"""The workers: the messages that all of them would send in a step if none forged them."""

from __future__ import annotations

import torch
from torch import Tensor

from btard.coding import CyclicCode
from btard.estimators import Estimator
from btard.lab.aggregation import Code
from btard.lab.gradients import FlatModel
from btard.lab.sampling import Batches
from btard.lab.stopwatch import Stopwatch


class EstimatingWorkers:
    """Each sends its estimator's value for its own gradients, (d,); its last message is all its state."""

    def __init__(self, model: FlatModel, batches: Batches, estimator: Estimator) -> None:
        self._model = model
        self._batches = batches
        self._estimator = estimator
        self._messages_ND: Tensor | None = None
        self._parameters_before_D: Tensor | None = None

    def rows(self, step: int, parameters_D: Tensor, liars: int, watch: Stopwatch) -> Tensor:
        """Return all messages of `step`, (n, d), of gradients at `parameters_D` (d,).

        The last `liars` workers take theirs on wrong labels, C - 1 - y in place of y. The rows are valid
        until the next call.
        """
        with watch("gradients"):
            images, labels_NB = self._batches.draw()
            honest = len(labels_NB) - liars
            labels_NB[honest:] = self._batches.classes - 1 - labels_NB[honest:]
            gradients_ND = self._model.gradients(parameters_D, images, labels_NB)
            before_ND = None
            if self._estimator.points == 2:
                if self._parameters_before_D is not None:
                    before_ND = self._model.gradients(self._parameters_before_D, images, labels_NB)
                self._parameters_before_D = parameters_D.clone()
            messages_ND = self._estimator.estimate(step, self._messages_ND, gradients_ND, before_ND)
            # In one place from step to step: large tensors that outlive a step make the allocator return all
            # memory and take it again, which costs more than the copy.
            if self._messages_ND is None:
                self._messages_ND = torch.empty_like(messages_ND)
            return self._messages_ND.copy_(messages_ND)


class CodedWorkers:
    """Each computes the 2s + 1 gradients that a code assigns to it, and sends them encoded.

    There are n batches a step. The repetition code needs the same bits of a gradient from every worker that
    computes it, so each gradient is computed once and shared. The seconds of `gradients` therefore count n
    gradients, and real workers would compute n (2s + 1); those of `encode` are all n workers'. The complex
    messages of the cyclic code are viewed as reals, (n, 2d) float64.
    """

    def __init__(self, model: FlatModel, batches: Batches, estimator: Estimator, code: Code) -> None:
        self._model = model
        self._batches = batches
        self._estimator = estimator
        self._code = code

    def rows(self, step: int, parameters_D: Tensor, liars: int, watch: Stopwatch) -> Tensor:
        """Return all messages of `step`, (n, d) or (n, 2d), as `EstimatingWorkers.rows` does."""
        with watch("gradients"):
            images, labels_NB = self._batches.draw()
            right_ND = self._messages(parameters_D, images, labels_NB)
            # The honest take the same batches with right labels, so liars need gradients of their own.
            wrong_ND = right_ND
            if liars:
                wrong_ND = self._messages(parameters_D, images, self._batches.classes - 1 - labels_NB)
        with watch("encode"):
            assignment_NN = self._code.assignment.to(right_ND.device)
            honest = len(assignment_NN) - liars
            rows = torch.stack(
                [
                    self._code.encode(worker, (right_ND if worker < honest else wrong_ND)[assigned_N])
                    for worker, assigned_N in enumerate(assignment_NN)
                ]
            )
            return torch.view_as_real(rows).flatten(1) if isinstance(self._code, CyclicCode) else rows

    def _messages(self, parameters_D: Tensor, images: Tensor, labels_NB: Tensor) -> Tensor:
        # Codes go with estimators that have no state: every step is like the first.
        return self._estimator.estimate(0, None, self._model.gradients(parameters_D, images, labels_NB))
