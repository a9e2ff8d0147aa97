"""The mixed order: a public permutation, whose pieces are alike however unlike the tensors are."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from btard.crypto import keystream
from btard.parts import windows
from btard.training import order
from btard.training.order import BLOCK, SINGLE_BELOW, Order
from protocols.vectors import make_order

FILE: dict[str, Any] = json.loads(make_order.FILE.read_text())
SEED = bytes.fromhex(FILE["seed"])


def as_written(dimension: int, seed: bytes) -> list[int]:
    """protocols/step.md, The order of coordinates, in Python's numbers."""
    block = 1 if dimension < 2**20 else 16
    count = dimension // block
    stream = keystream(seed, "order of coordinates", 8 * count)
    words = [int.from_bytes(stream[8 * k : 8 * k + 8], "little") for k in range(count)]
    blocks = sorted(range(count), key=lambda k: (words[k], k))
    places = [block * k + i for k in blocks for i in range(block)]
    return [*places, *range(block * count, dimension)]


def test_the_stored_orders_follow_from_the_definition_as_written() -> None:
    assert FILE["mixed"] == as_written(FILE["dimension"], SEED)
    large = as_written(FILE["large dimension"], SEED)
    assert (FILE["large first"], FILE["large last"]) == (large[: 2 * BLOCK], large[-2 * BLOCK :])
    assert make_order.FILE.read_text(encoding="utf-8") == make_order.text()


@pytest.mark.parametrize("dimension", [1, 2, 55, 1000, SINGLE_BELOW - 1, SINGLE_BELOW, SINGLE_BELOW + 7])
def test_pieces_of_any_number_are_put_back_in_the_models_order(dimension: int) -> None:
    vector = torch.arange(dimension, dtype=torch.float32)
    mine = Order(dimension, SEED)
    mixed = mine.mix(vector)
    assert torch.equal(mixed.sort().values, vector)
    assert dimension < 55 or not torch.equal(mixed, vector)
    for parts in {min(dimension, n) for n in (1, 2, 3, 16, 17, 64, 256)}:
        pieces = [mixed[start : start + size] for start, size in windows(dimension, parts)]
        assert torch.equal(mine.unmix(pieces), vector)


@settings(max_examples=60)
@given(st.integers(1, 200), st.data())
def test_pieces_may_be_cut_anywhere_in_a_block(dimension: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "SINGLE_BELOW", 1)
        mine = Order(dimension, SEED)
    cuts = sorted(data.draw(st.lists(st.integers(0, dimension), max_size=20)))
    vector = torch.arange(dimension, dtype=torch.float32)
    mixed = mine.mix(vector)
    pieces = [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, dimension], strict=True)]
    assert torch.equal(mine.unmix(pieces), vector)


def test_another_seed_draws_another_order() -> None:
    vector = torch.arange(100, dtype=torch.float32)
    assert not torch.equal(Order(100, SEED).mix(vector), Order(100, bytes(32)).mix(vector))


@pytest.mark.parametrize(("dimension", "parts"), [(50_000, 64), (SINGLE_BELOW, 64), (SINGLE_BELOW, 16)])
def test_all_parts_are_alike_though_the_tensors_are_not(dimension: int, parts: int) -> None:
    """Three tensors, of which the coordinates of one are 60 times as long as those of another."""
    third = dimension // 3
    scale = torch.cat(
        [torch.full((third,), 60.0), torch.full((third,), 10.0), torch.ones(dimension - 2 * third)]
    )
    vector = scale * torch.randn(dimension, generator=torch.Generator().manual_seed(1))

    def spread(whole: torch.Tensor) -> float:
        norms = [float(whole[start : start + size].norm()) for start, size in windows(dimension, parts)]
        return max(norms) / min(norms)

    assert spread(vector) > 50
    assert spread(Order(dimension, SEED).mix(vector)) < 2
