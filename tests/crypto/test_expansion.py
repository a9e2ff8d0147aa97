"""Keystreams, draws and directions: reproducible, seekable, unbiased."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import DIRECTION_SCALE, Draw, digest, directions, keystream
from btard.errors import ConfigurationError

SEED = bytes(range(32))


def by_definition(key: bytes, blocks: int) -> bytes:
    """AES of the counters 0, 1, 2, ..., without the library's counter mode."""
    encryptor = Cipher(AES(key), ECB()).encryptor()
    return encryptor.update(b"".join(i.to_bytes(16, "big") for i in range(blocks)))


@given(st.binary(max_size=40), st.text(max_size=8), st.integers(0, 200))
def test_keystream_is_aes_of_a_counter_under_a_domain_separated_key(
    seed: bytes, domain: str, length: int
) -> None:
    key = digest("keystream", domain.encode(), seed)
    assert keystream(seed, domain, length) == by_definition(key, 13)[:length]


def test_a_keystream_longer_than_one_chunk_has_no_seam() -> None:
    blocks = (2 << 20) // 16 + 1
    key = digest("keystream", b"long", SEED)
    assert keystream(SEED, "long", blocks * 16) == by_definition(key, blocks)


@given(st.integers(0, 100), st.integers(0, 100))
def test_a_window_of_directions_does_not_depend_on_the_window_asked(start: int, length: int) -> None:
    whole = directions(SEED, "projection", 3, 0, 200)
    assert torch.equal(directions(SEED, "projection", 3, start, length), whole[:, start : start + length])


def test_directions_are_two_b_minus_255_of_one_stream_each() -> None:
    rows = directions(SEED, "projection", 2, 0, 32)
    for index in range(2):
        key = digest("direction", b"projection", SEED, index.to_bytes(8, "little"))
        assert rows[index].tolist() == [2 * byte - 255 for byte in by_definition(key, 2)]


def test_directions_are_uniform_independent_and_of_the_stated_scale() -> None:
    rows_f32 = directions(SEED, "projection", 4, 0, 1 << 16)
    rows_KD = rows_f32.double()
    counts = torch.bincount(((rows_KD + 255) / 2).long().flatten(), minlength=256).double()
    expected = rows_KD.numel() / 256
    chi_square = ((counts - expected) ** 2 / expected).sum()
    correlation_KK = rows_KD @ rows_KD.T / (rows_KD.shape[1] * DIRECTION_SCALE**2)
    assert rows_f32.dtype == torch.float32
    assert set(rows_KD.flatten().tolist()) == {float(v) for v in range(-255, 256, 2)}
    assert 150 < chi_square < 390  # 255 degrees of freedom: mean 255, deviation 23
    torch.testing.assert_close(correlation_KK, torch.eye(4, dtype=torch.float64), atol=0.02, rtol=0)


def test_sparse_forgeries_escape_no_more_often_than_stated() -> None:
    """Two equal coordinates: signs would miss the forgery half of the time, uniform bytes in 1/256."""
    rows_KD = directions(SEED, "projection", 1, 0, 1 << 16)[0]
    delta_a, delta_b = rows_KD[::2], rows_KD[1::2]
    escaped = (delta_a - delta_b == 0).double().mean()
    assert escaped < 1.5 / 256


@pytest.mark.parametrize("window", [(-1, 0, 1), (1, -1, 1), (1, 0, -1)])
def test_negative_windows_are_refused(window: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigurationError, match="negative"):
        directions(SEED, "projection", *window)
    with pytest.raises(ConfigurationError, match="negative"):
        keystream(SEED, "x", -1)


@pytest.mark.parametrize(("count", "length"), [(4, 0), (0, 5)])
def test_empty_windows_are_empty(count: int, length: int) -> None:
    assert directions(SEED, "projection", count, 7, length).shape == (count, length)


def test_draws_are_uniform_where_a_modulus_would_be_biased() -> None:
    """3/4 of 2^64: a modulus would give the lower third of the range twice as often."""
    bound = 3 << 62
    draw = Draw(SEED, "bias")
    low = sum(draw.below(bound) < bound // 3 for _ in range(3000)) / 3000
    assert abs(low - 1 / 3) < 0.04


def test_all_permutations_are_equally_likely() -> None:
    draw = Draw(SEED, "permutations")
    counts = Counter(draw.shuffle("abcd") for _ in range(4800))
    assert set(counts) == set(permutations("abcd"))
    assert sum((n - 200) ** 2 / 200 for n in counts.values()) < 60  # 23 degrees of freedom


@given(st.lists(st.integers(), max_size=20), st.binary(max_size=8))
def test_a_shuffle_keeps_every_item_and_repeats_itself(items: list[int], seed: bytes) -> None:
    shuffled = Draw(seed, "d").shuffle(items)
    assert sorted(shuffled) == sorted(items)
    assert Draw(seed, "d").shuffle(items) == shuffled


@pytest.mark.parametrize("bound", [0, -1, 2**64 + 1])
def test_a_draw_from_nothing_or_too_much_is_refused(bound: int) -> None:
    with pytest.raises(ConfigurationError, match="choices"):
        Draw(SEED, "d").below(bound)


def test_draws_reach_both_ends_of_their_range() -> None:
    draw = Draw(SEED, "ends")
    assert {draw.below(1) for _ in range(10)} == {0}
    assert {draw.below(3) for _ in range(100)} == {0, 1, 2}
    assert 0 <= draw.below(2**64) < 2**64
