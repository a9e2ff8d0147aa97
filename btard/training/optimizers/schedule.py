"""Schedules of the learning rate, by name and arguments: float64 from + - * / alone (protocols/update.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from btard.errors import ConfigurationError
from btard.training.optimizers.arithmetic import power
from btard.training.optimizers.cosine import half_cosine


class Schedule(Protocol):
    """What the learning rate is multiplied by. An implementation is a frozen dataclass of plain numbers, so
    that a run's description can spell it."""

    def factor(self, count: int) -> float:
        """Return the factor of the update that `count` updates came before."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """Always 1."""

    def factor(self, count: int) -> float:
        """Return 1."""
        return 1.0


CONSTANT = Constant()


@dataclass(frozen=True, slots=True)
class WarmupLinear:
    """Up to 1 in `warmup` updates, then down to 0 at `total`, both in a straight line."""

    warmup: int
    total: int

    def __post_init__(self) -> None:
        _check_span(self.warmup, self.total)

    def factor(self, count: int) -> float:
        """Return (count + 1) / warmup, then (total - count) / (total - warmup), from `total` on 0."""
        if count < self.warmup:
            return (count + 1) / self.warmup
        return max(0, self.total - count) / (self.total - self.warmup)


@dataclass(frozen=True, slots=True)
class WarmupCosine:
    """Up to 1 in `warmup` updates in a straight line, then down to `floor` at `total` along half a cosine.

    Without warm-up and floor it is torch's CosineAnnealingLR of T_max = total, up to `total`."""

    total: int
    warmup: int = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        _check_span(self.warmup, self.total)
        if not 0 <= self.floor <= 1:
            raise ConfigurationError(f"floor is {self.floor}: use 0 to 1")

    def factor(self, count: int) -> float:
        """Return (count + 1) / warmup, then floor + (1 - floor) h, h from 1 to 0 as `half_cosine`."""
        if count < self.warmup:
            return (count + 1) / self.warmup
        share = min(1.0, (count - self.warmup) / (self.total - self.warmup))
        return self.floor + (1.0 - self.floor) * half_cosine(share)


@dataclass(frozen=True, slots=True)
class Decay:
    """Times `rate` after every `every` updates: exponential for 1, in steps for more."""

    rate: float
    every: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise ConfigurationError(f"rate is {self.rate}: use more than 0, and at most 1")
        if self.every < 1:
            raise ConfigurationError(f"every is {self.every}: use at least 1 update")

    def factor(self, count: int) -> float:
        """Return `rate` to the power of floor(count / every)."""
        return power(self.rate, count // self.every)


def _check_span(warmup: int, total: int) -> None:
    if not 0 <= warmup < total:
        raise ConfigurationError(f"warmup is {warmup} of {total} updates: use 0 to {max(0, total - 1)}")
