"""A recipe: a task with all that peers must share to train it alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from btard.errors import ConfigurationError
from btard.training.optimizers import PortableOptimizer
from btard.training.spelling import spell
from btard.training.task import Task
from btard.training.tolerances import tolerance

OptimizerFactory = Callable[[Iterable[tuple[str, nn.Parameter]]], Optimizer]
"""Takes `named_parameters()`, as every torch.optim optimizer does: `partial(torch.optim.SGD, lr=0.1)`."""

SchedulerFactory = Callable[[Optimizer], LRScheduler]
"""For instance `partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=1000)`."""


Precision = Literal["fp32", "bf16", "fp16"]
"""What most products of a gradient are computed in: float32, or by torch's autocast a shorter format."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a task is trained.

    `optimizer` is a portable one, whose update is the same bits on all hardware and which has its schedule
    within, or a factory of torch.optim, beside which `scheduler` is possible. The update of those differs
    between kinds of hardware: a run of such a recipe is for peers on like hardware, as its description says.

    `batch_size` is per peer and step. A gradient is the mean over micro-batches of `micro_batch` samples, a
    divisor of `batch_size`: the memory of one is enough. None: the whole batch at once. `precision` bf16 or
    fp16 computes it under torch's autocast; parameters, sums and the update stay float32
    (protocols/gradient.md).

    `clip` is the norm that a peer's stochastic gradient is clipped to before it is sent (BTARD-Clipped-SGD,
    Gorbunov et al. 2022, section 4; None: not clipped), `projections` the number K of public directions
    behind the published scalars.

    `tolerance` names the profile of `tolerances.py` that fits the network and its precision.
    `steps`, `tau` and `delta_max` are what the task suggests for a run of its own: they depend on the
    scale of its gradients, whole ones; `btard measure-norms` measures it. A run's configuration decides.
    """

    task: Task
    batch_size: int
    optimizer: PortableOptimizer | OptimizerFactory
    scheduler: SchedulerFactory | None = None
    clip: float | None = None
    projections: int = 4
    micro_batch: int | None = None
    precision: Precision = "fp32"
    steps: int = 100
    tau: float = 1.0
    delta_max: float = 10.0
    tolerance: str = "smooth"

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigurationError(f"batch_size is {self.batch_size}: use at least 1")
        if self.micro_batch is not None and not (
            1 <= self.micro_batch <= self.batch_size and self.batch_size % self.micro_batch == 0
        ):
            raise ConfigurationError(
                f"micro_batch is {self.micro_batch}: use a divisor of batch_size, {self.batch_size}, or None"
            )
        if self.precision not in get_args(Precision):
            raise ConfigurationError(f"precision is {self.precision!r}: use fp32, bf16 or fp16")
        if self.projections < 1:
            raise ConfigurationError(f"projections is {self.projections}: use at least 1")
        if self.clip is not None and not (self.clip > 0 and math.isfinite(self.clip)):
            raise ConfigurationError(f"clip is {self.clip}: use a positive norm, or None")
        tolerance(self.tolerance)
        if self.portable and self.scheduler is not None:
            raise ConfigurationError("scheduler is given: a portable optimizer takes a `schedule` of its own")

    @property
    def portable(self) -> bool:
        """Whether updates are the same bits on all hardware."""
        return isinstance(self.optimizer, PortableOptimizer)

    def describe(self) -> dict[str, str]:
        """Return the fields that must agree between peers, as text: part of the run id.

        Raises ConfigurationError if the optimizer or the scheduler has no text that is the same in every
        process (`spell`).
        """
        return {
            "task": self.task.name,
            "profile": "portable" if self.portable else "like hardware",
            "batch_size": str(self.batch_size),
            "micro_batch": str(self.micro_batch or "none"),
            "precision": self.precision,
            "optimizer": spell(self.optimizer),
            "scheduler": "none" if self.scheduler is None else spell(self.scheduler),
            "clip": repr(self.clip),
            "projections": str(self.projections),
        }
