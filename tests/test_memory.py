"""Large vectors are in memory that is used again, and never while somebody still looks at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from btard.memory import FREE_MAX, MAPPED_BYTES_MIN, floats, octets, settle, trim

SIZE = 300_017
"""Numbers of a vector that is large enough, of a size that no other test asks for."""


def place(vector: np.ndarray[Any, Any]) -> int:
    return int(vector.__array_interface__["data"][0])


def test_a_vector_is_made_where_one_was_whose_last_view_is_gone() -> None:
    first = floats(SIZE)
    where = place(first)
    del first
    assert place(floats(SIZE)) == where


@pytest.mark.parametrize(
    "look",
    [
        lambda vector: vector[5:],
        lambda vector: vector[5:].view(np.uint8)[3:],
        lambda vector: torch.from_numpy(vector[7:])[2:].view(-1, 2),
        lambda vector: memoryview(vector[9:]).cast("B").toreadonly()[4:],
    ],
    ids=["slice", "bytes", "tensor", "memoryview"],
)
def test_no_vector_is_made_where_one_can_still_be_seen(look: Callable[[Any], object]) -> None:
    vector = floats(SIZE)
    vector.fill(3)
    where, view = place(vector), look(vector)
    del vector
    others = [floats(SIZE) for _ in range(FREE_MAX + 2)]
    for other in others:
        other.fill(4)
    assert where not in map(place, others)
    assert bytes(np.asarray(view).tobytes()[-4:]) == np.float32(3).tobytes()


def test_only_a_few_free_ones_are_kept_whatever_their_sizes() -> None:
    vectors = [floats(SIZE + 100_000 * index) for index in range(FREE_MAX + 3)]
    places = [place(vector) for vector in vectors]
    sizes = [len(vector) for vector in vectors]
    while vectors:
        vectors.pop(0)
    # The newest ones are left; the older ones are mapped anew, wherever that is.
    kept = [floats(size) for size in sizes[-FREE_MAX:]]
    assert [place(vector) for vector in kept] == places[-FREE_MAX:]


@pytest.mark.parametrize("count", [0, 1, MAPPED_BYTES_MIN - 1, MAPPED_BYTES_MIN, MAPPED_BYTES_MIN + 1])
def test_room_is_of_the_size_that_was_asked_for_and_can_be_written(count: int) -> None:
    room, vector = octets(count), floats(count // 4)
    room.fill(7)
    vector.fill(7)
    assert (len(room), len(vector)) == (count, count // 4)
    assert (room == 7).all()
    assert (vector == 7).all()


def test_the_heaps_settings_change_nothing_that_is_in_it() -> None:
    held = bytes(range(256)) * 4096
    settle()
    trim()
    assert held == bytes(range(256)) * 4096
