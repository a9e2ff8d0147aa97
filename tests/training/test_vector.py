"""Vectors, parts and blobs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from btard.codec import FP32
from btard.errors import ConfigurationError
from btard.parts import split_sizes, window, windows
from btard.training.vector import flatten, unflatten_into


@given(st.integers(1, 10_000), st.data())
def test_parts_cover_the_vector_and_the_first_are_one_longer(dimension: int, data: st.DataObject) -> None:
    parts = data.draw(st.integers(1, min(dimension, 300)))
    sizes = split_sizes(dimension, parts)
    assert sum(sizes) == dimension
    assert len(sizes) == parts
    assert list(sizes) == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[-1] <= 1
    assert windows(dimension, parts) == tuple(window(dimension, parts, part) for part in range(parts))


@pytest.mark.parametrize(("dimension", "parts"), [(3, 0), (3, 4), (0, 1)])
def test_a_split_with_empty_parts_is_refused(dimension: int, parts: int) -> None:
    with pytest.raises(ConfigurationError, match="parts"):
        split_sizes(dimension, parts)


@pytest.mark.parametrize("part", [-1, 3])
def test_a_part_that_does_not_exist_is_refused(part: int) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        window(10, 3, part)


def test_flatten_and_back_are_inverse() -> None:
    tensors = [torch.randn(2, 3), torch.randn(4), torch.randn(())]
    copies = [torch.zeros_like(tensor) for tensor in tensors]
    vector = flatten(tensors)
    unflatten_into(vector, copies)
    assert all(torch.equal(a, b) for a, b in zip(tensors, copies, strict=True))
    vector.zero_()
    assert tensors[1].abs().sum() > 0, "flatten copies"


def test_a_blob_is_little_endian_float32() -> None:
    assert FP32.encode(torch.tensor([1.0, -2.0])) == bytes.fromhex("0000803f000000c0")


@given(st.lists(st.floats(width=32), max_size=20))
@example([0.0, float("nan")])
@example([-float("inf")])
def test_blobs_carry_every_value_exactly_and_tell_nan_and_inf(values: list[float]) -> None:
    vector = torch.tensor(values, dtype=torch.float32)
    blob = FP32.encode(vector)
    torch.testing.assert_close(FP32.decode(blob), vector, rtol=0, atol=0, equal_nan=True)
    assert FP32.is_valid(blob) == bool(vector.isfinite().all())


@given(st.binary(max_size=40))
def test_any_bytes_may_be_asked_about(data: bytes) -> None:
    assert FP32.is_valid(data) in (True, False)
    if len(data) % 4:
        assert not FP32.is_valid(data)
        with pytest.raises(ConfigurationError, match="float32"):
            FP32.decode(data)
