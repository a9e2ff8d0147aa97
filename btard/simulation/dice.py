"""Chance in the simulator: a stream of draws for each purpose, all from the scenario's seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from btard.crypto import Draw

T = TypeVar("T")

_FRACTION = 2**53


class Dice:
    """Draws of one purpose: another purpose's draws do not shift them."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._draw = Draw(seed.to_bytes(16, "little"), f"simulation {purpose}")

    def below(self, bound: int) -> int:
        """A uniform integer in [0, bound)."""
        return self._draw.below(bound)

    def between(self, least: float, most: float) -> float:
        """A uniform number in [least, most)."""
        return least + (most - least) * self._draw.below(_FRACTION) / _FRACTION

    def chance(self, probability: float) -> bool:
        """True with this probability; draws nothing if it is 0."""
        return probability > 0 and self.between(0.0, 1.0) < probability

    def choose(self, items: Sequence[T]) -> T:
        """One of `items`."""
        return items[self._draw.below(len(items))]

    def some(self, items: Sequence[T], count: int) -> tuple[T, ...]:
        """`count` of `items`, in random order."""
        return self._draw.shuffle(items)[:count]
