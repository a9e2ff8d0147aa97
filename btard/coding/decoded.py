"""What both codes give back, and the checks of their arguments."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from btard.errors import BtardError, ConfigurationError


class Undecodable(BtardError):
    """No sum is consistent with enough rows: more workers are adversarial than the code corrects."""


class Decoded(NamedTuple):
    """The sum of all n gradients, shape (d,), and the workers whose rows contradict it, ascending.

    A tuple: `total, adversarial = code.decode(rows)`.
    """

    sum: Tensor
    adversarial: tuple[int, ...]


def check_size(n: int, s: int) -> None:
    """Raise ConfigurationError unless n workers can correct s adversaries at all."""
    if any(isinstance(x, bool) or not isinstance(x, int) for x in (n, s)) or s < 0 or n < 2 * s + 1:
        raise ConfigurationError(
            f"n = {n} workers cannot correct s = {s} adversaries: give whole s >= 0 and n >= 2s + 1"
        )


def check_worker(worker: int, n: int) -> None:
    """Raise ConfigurationError unless `worker` is one of 0 .. n - 1."""
    if not 0 <= worker < n:
        raise ConfigurationError(f"there is no worker {worker}: give one of 0 to {n - 1}")
