"""The split of a vector into parts, one a participant: contiguous, even, the longer ones first."""

from __future__ import annotations

from btard.errors import ConfigurationError


def split_sizes(dimension: int, parts: int) -> tuple[int, ...]:
    """Sizes in coordinates of `parts` contiguous parts; the first `dimension % parts` have one more.

    Raises ConfigurationError if a part would be empty.
    """
    if not 1 <= parts <= dimension:
        raise ConfigurationError(
            f"cannot split {dimension} coordinates into {parts} parts: use 1 to {dimension} parts"
        )
    return tuple(part_size(dimension, parts, part) for part in range(parts))


def part_size(dimension: int, parts: int, part: int) -> int:
    """The size of one part in coordinates, 0 if the vector has no such part. Never raises."""
    if not 0 <= part < parts <= dimension:
        return 0
    return dimension // parts + (part < dimension % parts)


def window(dimension: int, parts: int, part: int) -> tuple[int, int]:
    """Where part `part` lies: (first coordinate, number of coordinates)."""
    if not 0 <= part < parts:
        raise ConfigurationError(f"part {part} does not exist: there are {parts}, counted from 0")
    return windows(dimension, parts)[part]


def windows(dimension: int, parts: int) -> tuple[tuple[int, int], ...]:
    """(first coordinate, number of coordinates) of every part, in order."""
    sizes = split_sizes(dimension, parts)
    return tuple((sum(sizes[:part]), size) for part, size in enumerate(sizes))
