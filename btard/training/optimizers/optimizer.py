"""What portable optimizers share: weight decay by names of parameters, clipping, the walk over tensors."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from btard.errors import ConfigurationError
from btard.training.optimizers.arithmetic import BLOCK, Floats, exact, norm
from btard.training.optimizers.schedule import CONSTANT, Schedule

NO_DECAY = (("*bias", 0.0), ("*[Nn]orm*", 0.0))
"""Groups of the usual exception: no weight decay on biases and on the scales of normalisation layers."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Parameters (d,) and the optimizer's vectors of the same size, in the order of its `slots`."""

    parameters: Floats
    moments: tuple[Floats, ...]

    def window(self, start: int, size: int) -> Vectors:
        """Return the same of `size` coordinates from `start`, sharing memory."""
        part = slice(start, start + size)
        return Vectors(self.parameters[part], tuple(moment[part] for moment in self.moments))


@dataclass(frozen=True, slots=True)
class Segment:
    """One tensor of the model within the vector."""

    start: int
    size: int
    weight_decay: float


@dataclass(frozen=True, slots=True)
class Move:
    """One update: how many came before, the learning rate of this one in float64, the factor of the gradient
    (None: 1), and room for two blocks."""

    count: int
    rate: float
    scale: np.float32 | None
    room: Floats = field(default_factory=lambda: np.empty((2, BLOCK), np.float32))

    def gradient(self, block: Floats) -> Floats:
        """Return a block of the gradient times the factor, in the second block of the room if need be."""
        if self.scale is None:
            return block
        scaled: Floats = np.multiply(block, self.scale, out=self.room[1][: len(block)])
        return scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class PortableOptimizer(ABC):
    """An optimizer whose update is the same bits on all hardware: protocols/update.md.

    `learning_rate` is multiplied by the `schedule`. `weight_decay` holds for parameters whose name matches no
    pattern of `groups`; the first pattern that matches gives another one, as in `NO_DECAY`. Patterns are
    those of file names: `*` stands for anything. The aggregate is clipped to `max_norm` first, if given.
    """

    learning_rate: float
    schedule: Schedule = CONSTANT
    weight_decay: float = 0.0
    groups: tuple[tuple[str, float], ...] = ()
    max_norm: float | None = None

    @property
    @abstractmethod
    def slots(self) -> tuple[str, ...]:
        """The names of the vectors that the optimizer keeps beside the parameters; they begin at zero."""

    def __post_init__(self) -> None:
        check_positive("learning_rate", self.learning_rate)
        if self.max_norm is not None:
            check_positive("max_norm", self.max_norm)
        for value in (self.weight_decay, *(value for _, value in self.groups)):
            if not 0 <= value < math.inf:
                raise ConfigurationError(f"weight_decay is {value}: use 0 or a positive number")

    def segments(self, sizes: Sequence[tuple[str, int]]) -> tuple[Segment, ...]:
        """Return the tensors of a model, given (name, number of coordinates) of each, in order.

        Raises ConfigurationError if a pattern of `groups` matches no name: it would be a mistake unseen."""
        result: list[Segment] = []
        start = 0
        for name, size in sizes:
            decays = (decay for pattern, decay in self.groups if fnmatchcase(name, pattern))
            result.append(Segment(start, size, next(decays, self.weight_decay)))
            start += size
        if unused := [p for p, _ in self.groups if not any(fnmatchcase(name, p) for name, _ in sizes)]:
            raise ConfigurationError(
                f"the pattern {unused[0]!r} of groups matches no parameter: leave it out, or write it as the "
                "model names its parameters"
            )
        return tuple(result)

    def update(
        self, count: int, old: Vectors, gradient: Floats, new: Vectors, segments: Sequence[Segment]
    ) -> None:
        """Write into `new` what `old`, which `count` updates came before, becomes by `gradient` (d,).

        `new` shares no memory with `old`. Its parameters may be `gradient` itself, otherwise they share none:
        of each block the gradient is read before the new parameters are written."""
        with exact():
            rate = self.learning_rate * self.schedule.factor(count)
            move = Move(count, rate, self._scale(gradient))
            for segment in segments:
                window = slice(segment.start, segment.start + segment.size)
                before, after = (each.window(segment.start, segment.size) for each in (old, new))
                self._update_tensor(move, segment.weight_decay, before, gradient[window], after)

    def _scale(self, gradient: Floats) -> np.float32 | None:
        if self.max_norm is None:
            return None
        size = norm(gradient)
        return np.float32(self.max_norm / size) if size > self.max_norm else None

    @abstractmethod
    def _update_tensor(
        self, move: Move, weight_decay: float, old: Vectors, gradient: Floats, new: Vectors
    ) -> None:
        """Update one tensor, block by block. `new.parameters` may be `gradient`: see `update`."""


def check_positive(name: str, value: float) -> None:
    """Raise ConfigurationError unless `value` is positive and finite."""
    if not 0 < value < math.inf:
        raise ConfigurationError(f"{name} is {value}: use a positive number")
