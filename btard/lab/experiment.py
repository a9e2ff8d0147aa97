"""An experiment of the laboratory: a value that holds everything that its outcome depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """`workers` train `task` together, `byzantine` of them send what `attack` makes.

    Text in the fields is written as `btard.terms` reads it:

    - `rule`: `btard.aggregators.parse` ("nnm+ctma+median"), or one of DRACO's codes, "cyclic" or
      "repetition(tolerance=1e-5)". It is configured with `f`, or with `byzantine` if `f` is None.
    - `attack`: `btard.attacks.parse` ("alie(z=1.5)"), or "none". The last `byzantine` workers attack in
      steps t >= `attack_start` with (t - attack_start) divisible by `attack_period`, else they are honest.
    - `estimator`: `btard.estimators.parse` ("gradient", "momentum(beta=0.9)", "clip(norm=1)+mu2").
    - `heterogeneity`: the spread of training samples over workers: "iid", "dirichlet(alpha=0.1)",
      "labels(count=2)".

    Every worker draws `batch_size` samples a step. The server steps by SGD with `learning_rate`, `momentum`
    (Nesterov's if `nesterov`), `weight_decay` and the `schedule`; mu2 brings its own iterate and takes the
    learning rate only. The model is evaluated on held-out data every `evaluate_every` steps and at the end.
    """

    task: str = "digits"
    workers: int = 16
    byzantine: int = 0
    f: int | None = None
    rule: str = "mean"
    attack: str = "none"
    attack_start: int = 0
    attack_period: int = 1
    estimator: str = "gradient"
    heterogeneity: str = "iid"
    steps: int = 200
    batch_size: int = 32
    learning_rate: float = 0.1
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    evaluate_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse impossible numbers; `prepare` refuses impossible names."""
        for name in ("workers", "steps", "batch_size", "evaluate_every", "attack_period"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}: give at least 1")
        if not 0 <= self.byzantine < self.workers:
            raise ConfigurationError(
                f"byzantine is {self.byzantine} of {self.workers} workers: give 0 to {self.workers - 1}"
            )
        for name in ("attack_start", "f", "seed"):
            if (getattr(self, name) or 0) < 0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}: give at least 0")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise ConfigurationError(f"learning_rate is {self.learning_rate}: give a finite one above 0")
        if self.schedule not in ("constant", "cosine"):
            raise ConfigurationError(f'schedule is {self.schedule!r}: give "constant" or "cosine"')
        if not 0 <= self.momentum < 1 or not 0 <= self.weight_decay < math.inf:
            raise ConfigurationError(
                f"momentum is {self.momentum} and weight_decay is {self.weight_decay}:"
                " give 0 <= momentum < 1 and a finite weight_decay >= 0"
            )

    @property
    def assumed_f(self) -> int:
        """The f that the aggregation rule is configured with."""
        return self.byzantine if self.f is None else self.f

    def attacks_in(self, step: int) -> bool:
        """Whether the Byzantine workers attack in `step`."""
        since = step - self.attack_start
        return self.byzantine > 0 and self.attack != "none" and since >= 0 and since % self.attack_period == 0
