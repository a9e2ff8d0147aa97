"""What an attacker knows when it forges a gradient, and the interface of all gradient attacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from btard.errors import ConfigurationError


def _not_given(what: str) -> Callable[..., Tensor]:
    def refuse(*_: object) -> Tensor:
        raise ConfigurationError(f"this attack needs {what}: put it into its AttackContext")

    return refuse


_NO_HONEST = _not_given("the honest gradients")
_NO_LABELS = _not_given("the gradient on wrong labels")
_NO_PAST = _not_given("earlier gradients")


@dataclass(frozen=True, slots=True)
class AttackContext:
    """One attacker, one step. What takes work is asked for only by the attacks that need it.

    `own` is the attacker's honest gradient (d,); `step` counts from 0; `seed` is common to all attackers
    of a run; `peers` (n) take part, `byzantine` (f) of them attack. `honest()` gives the gradients of the
    honest peers (n - f, d), `relabelled()` the attacker's gradient on wrong labels (d,), `past(k)` its
    honest gradient of k steps ago (d,), or the oldest that it has.
    """

    own: Tensor
    step: int = 0
    seed: bytes = b""
    peers: int = 1
    byzantine: int = 1
    honest: Callable[[], Tensor] = _NO_HONEST
    relabelled: Callable[[], Tensor] = _NO_LABELS
    past: Callable[[int], Tensor] = _NO_PAST


class Attack(Protocol):
    """Context -> the vector (d,) that the attacker commits to in place of its gradient. A pure function;
    never changes the tensors of the context."""

    def __call__(self, context: AttackContext, /) -> Tensor: ...
