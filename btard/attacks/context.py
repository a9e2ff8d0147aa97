"""What an attacker knows when it forges a gradient, and the interface of all gradient attacks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar

from torch import Tensor

from btard.errors import ConfigurationError


def _not_given(what: str) -> Callable[..., Tensor]:
    def refuse(*_: object) -> Tensor:
        raise ConfigurationError(f"this attack needs {what}: put it into its AttackContext")

    return refuse


_NO_HONEST = _not_given("the honest gradients")
_NO_LABELS = _not_given("the gradient on wrong labels")
_NO_PAST = _not_given("earlier gradients")
_NO_AGGREGATE = _not_given("what the rule makes of a forged gradient")


@dataclass(frozen=True, slots=True)
class AttackContext:
    """One attacker, one step. The callables take work: only attacks that need them call them.

    `own` is the attacker's honest gradient (d,); `step` counts from 0; `seed` is common to all attackers
    of a run; `peers` (n) take part, `byzantine` (f) of them attack. `honest()` gives the gradients of the
    honest peers (n - f, d), `relabelled()` the attacker's gradient on wrong labels (d,), `past(k)` its
    honest gradient of k steps ago (d,), or the oldest that it has. `aggregate(x)` is what the rule gives,
    (d,), when every attacker sends the vector x (d,). Each call with the same argument returns the same.
    """

    own: Tensor
    step: int = 0
    seed: bytes = b""
    peers: int = 1
    byzantine: int = 1
    honest: Callable[[], Tensor] = _NO_HONEST
    relabelled: Callable[[], Tensor] = _NO_LABELS
    past: Callable[[int], Tensor] = _NO_PAST
    aggregate: Callable[[Tensor], Tensor] = _NO_AGGREGATE


@dataclass(frozen=True, slots=True)
class Attack(ABC):
    """A gradient attack: a frozen value, callable on what the attacker knows, without hidden state.

    The attack itself says what its host (the laboratory, an adversary of a swarm) must provide:

    - `look_back`: `past(k)` is asked for steps up to this k, so that many own honest gradients must be kept;
    - `wrong_labels`: `relabelled()` is asked for, a gradient that no other attack needs;
    - `common`: all attackers of a step send the same vector, whatever their own gradients are, so a host may
      compute it once for all of them.

    Raises ConfigurationError for parameters out of bounds, NaN and Inf among them.
    """

    wrong_labels: ClassVar[bool] = False
    common: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse NaN and Inf; attacks with bounds of their own call it first."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigurationError(f"{field.name} is {value}: give a finite number")

    @property
    def look_back(self) -> int:
        """How many steps ago the oldest gradient was computed that the attack may ask for."""
        return 0

    @abstractmethod
    def __call__(self, context: AttackContext, /) -> Tensor:
        """Return the vector (d,) that the attacker commits to in place of its gradient, of the dtype and
        device of its inputs. Never changes the tensors of the context, but may return one of them.

        Raises ConfigurationError if the context lacks something that the attack needs."""
