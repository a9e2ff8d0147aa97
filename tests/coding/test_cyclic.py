"""The cyclic code recovers the sum and names the adversaries, wherever its conditioning lets it."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from btard.coding import CyclicCode, Undecodable
from btard.errors import ConfigurationError
from tests.coding.cases import ATTACKS, attacked, gradients_of, relative_error, sent


@settings(max_examples=300)
@given(st.data())
def test_any_code_that_can_be_built_decodes_any_adversaries(data: st.DataObject) -> None:
    s = data.draw(st.integers(0, 4), label="s")
    n = data.draw(st.integers(2 * s + 1, 20), label="n")
    code = CyclicCode(n, s, dtype=data.draw(st.sampled_from([torch.float32, torch.float64])))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32), label="seed"))
    bad = tuple(sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=s), label="bad")))
    gradients = gradients_of(code, generator, dtype=code.dtype)
    rows = attacked(sent(code, gradients), bad, data.draw(st.sampled_from(ATTACKS)), generator)
    decoded = code.decode(rows, seed=data.draw(st.binary(max_size=8)))
    assert decoded.adversarial == bad
    assert decoded.sum.dtype == code.dtype
    assert relative_error(decoded.sum, gradients) < 1e-5


@pytest.mark.parametrize(("n", "s"), [(1, 0), (4, 0), (3, 1), (7, 3), (21, 10), (31, 5), (45, 5), (128, 2)])
def test_neighbouring_adversaries_are_found_at_every_size(n: int, s: int) -> None:
    code = CyclicCode(n, s)
    generator = torch.Generator().manual_seed(0)
    gradients = gradients_of(code, generator)
    bad = tuple(range(s))
    decoded = code.decode(attacked(sent(code, gradients), bad, "reversed", generator))
    assert decoded.adversarial == bad
    assert relative_error(decoded.sum, gradients) < 1e-5


@pytest.mark.parametrize(("n", "s"), [(7, 2), (15, 3), (20, 4)])
def test_rows_of_half_the_bytes_do_where_the_conditioning_allows(n: int, s: int) -> None:
    code = CyclicCode(n, s, rows_dtype=torch.complex64)
    generator = torch.Generator().manual_seed(1)
    for _ in range(30):
        gradients = gradients_of(code, generator)
        bad = tuple(sorted(torch.randperm(n, generator=generator)[:s].tolist()))
        decoded = code.decode(attacked(sent(code, gradients), bad, "random", generator))
        assert decoded.adversarial == bad
        assert relative_error(decoded.sum, gradients) < 1e-4


def test_an_error_of_any_size_does_not_hide_a_smaller_one() -> None:
    code = CyclicCode(15, 3)
    generator = torch.Generator().manual_seed(2)
    gradients = gradients_of(code, generator)
    rows = sent(code, gradients)
    for exponents in [(30, 0, -6), (12, 6, 0), (150, 20, -8), (0, -3, -6)]:
        forged = rows.clone()
        for worker, exponent in zip((2, 3, 11), exponents, strict=True):
            forged[worker] += 10.0**exponent
        decoded = code.decode(forged)
        assert decoded.adversarial == (2, 3, 11)
        assert relative_error(decoded.sum, gradients) < 1e-5


@pytest.mark.parametrize(("n", "s"), [(15, 3), (31, 5), (45, 5)])
def test_neighbours_with_errors_of_all_scales_move_the_sum_by_no_more_than_rounding(n: int, s: int) -> None:
    code = CyclicCode(n, s, dtype=torch.float64)
    generator = torch.Generator().manual_seed(8)
    for case in range(20):
        gradients = gradients_of(code, generator, dtype=torch.float64)
        rows = sent(code, gradients)
        bad = {(case + i) % n for i in range(s)}
        largest = float(rows.abs().max())
        for i in bad:
            exponent = float(torch.rand((), generator=generator)) * 16.0 - 8.0
            rows[i] += largest * 10.0**exponent * torch.randn(20, generator=generator, dtype=torch.float64)
        decoded = code.decode(rows)
        assert set(decoded.adversarial) <= bad
        assert relative_error(decoded.sum, gradients) < 1e-7


def test_an_error_at_the_edge_of_rounding_frames_nobody() -> None:
    code = CyclicCode(15, 3)
    generator = torch.Generator().manual_seed(3)
    gradients = gradients_of(code, generator)
    rows = sent(code, gradients)
    for exponent in range(-16, -6):
        for step in range(4):
            forged = rows.clone()
            forged[4] += 10.0 ** (exponent + step / 4)
            decoded = code.decode(forged)
            assert set(decoded.adversarial) <= {4}
            assert relative_error(decoded.sum, gradients) < 1e-5


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300])
def test_rows_that_are_not_finite_are_adversarial_like_any_other(value: float) -> None:
    code = CyclicCode(9, 2)
    gradients = gradients_of(code, torch.Generator().manual_seed(4))
    rows = sent(code, gradients)
    rows[3, 7] = value
    rows[8] = -rows[8]
    decoded = code.decode(rows)
    assert decoded.adversarial == (3, 8)
    assert relative_error(decoded.sum, gradients) < 1e-5


@pytest.mark.parametrize(("n", "s"), [(7, 2), (15, 3)])
def test_more_adversaries_than_s_are_noticed(n: int, s: int) -> None:
    code = CyclicCode(n, s)
    generator = torch.Generator().manual_seed(5)
    rows = sent(code, gradients_of(code, generator))
    with pytest.raises(Undecodable, match="more than s"):
        code.decode(attacked(rows, tuple(range(s + 1)), "random", generator))
    rows[: s + 1] = math.nan
    with pytest.raises(Undecodable, match="more than s"):
        code.decode(rows)


def test_all_gradients_zero_are_a_sum_of_zero_and_nobodys_fault() -> None:
    decoded = CyclicCode(7, 2).decode(torch.zeros(7, 3, dtype=torch.complex128))
    assert decoded.sum.tolist() == [0.0, 0.0, 0.0]
    assert decoded.adversarial == ()


def test_decoding_is_deterministic_leaves_its_input_and_takes_a_list_of_rows() -> None:
    code = CyclicCode(7, 2)
    generator = torch.Generator().manual_seed(6)
    rows = attacked(sent(code, gradients_of(code, generator)), (1, 5), "random", generator)
    before = rows.clone()
    first, second = code.decode(rows, seed=b"a"), code.decode(list(rows), seed=b"a")
    assert torch.equal(first.sum, second.sum)
    assert first.adversarial == second.adversarial == code.decode(rows, seed=b"b").adversarial == (1, 5)
    assert torch.equal(rows, before)


def test_rows_longer_than_a_chunk_decode_as_short_ones() -> None:
    code = CyclicCode(3, 1)
    gradients = gradients_of(code, torch.Generator().manual_seed(7), d=2**17 + 5)
    rows = sent(code, gradients)
    rows[2, -1] += 1.0
    decoded = code.decode(rows)
    assert decoded.adversarial == (2,)
    assert relative_error(decoded.sum, gradients) < 1e-6


def test_every_column_of_the_weights_sums_up_under_the_first_row_of_the_code() -> None:
    code = CyclicCode(7, 2)
    weights = torch.zeros(7, 7, dtype=torch.complex128)
    for i in range(7):
        for d, weight in enumerate(code.weights):
            weights[i, (i + d) % 7] += weight
    assert torch.equal(weights != 0, code.assignment)
    torch.testing.assert_close(weights.sum(0) / math.sqrt(7), torch.ones(7, dtype=torch.complex128))


@pytest.mark.parametrize(("n", "s", "most"), [(7, 2, 1.44), (15, 3, 24.5), (45, 5, 1.81e5)])
def test_the_conditioning_is_stated(n: int, s: int, most: float) -> None:
    assert CyclicCode(n, s).conditioning == pytest.approx(most, rel=0.01)


@pytest.mark.parametrize("s", [0, 1, 2, 3, 4])
def test_conditioning_and_resolution_grow_with_the_number_of_workers(s: int) -> None:
    codes = [CyclicCode(n, s) for n in range(2 * s + 1, 24)]
    for smaller, larger in itertools.pairwise(codes):
        assert smaller.conditioning < larger.conditioning
        assert smaller.resolution <= larger.resolution


def test_what_rounding_would_drown_is_refused_with_advice() -> None:
    with pytest.raises(ConfigurationError, match="only complex128"):
        CyclicCode(45, 5, rows_dtype=torch.complex64)
    with pytest.raises(ConfigurationError, match="lower n or s"):
        CyclicCode(64, 8)


@pytest.mark.parametrize(("n", "s"), [(4, 2), (5, -1), (0, 0), (True, 0)])
def test_sizes_that_cannot_be_are_refused(n: int, s: int) -> None:
    with pytest.raises(ConfigurationError, match="2s"):
        CyclicCode(n, s)


def test_wrong_gradients_and_rows_are_refused() -> None:
    code = CyclicCode(3, 1)
    with pytest.raises(ConfigurationError, match="no worker 3"):
        code.encode(3, torch.zeros(3, 2))
    with pytest.raises(ConfigurationError, match=r"shape \(2, 2\)"):
        code.encode(0, torch.zeros(2, 2))
    with pytest.raises(ConfigurationError, match="float64"):
        code.encode(0, torch.zeros(3, 2, dtype=torch.float64))
    with pytest.raises(ConfigurationError, match="complex64"):
        code.decode(torch.zeros(3, 2, dtype=torch.complex64))
    with pytest.raises(ConfigurationError, match="differ in shape"):
        code.decode([torch.zeros(2), torch.zeros(3), torch.zeros(2)])
    with pytest.raises(ConfigurationError, match="differ in shape"):
        code.decode([])
    with pytest.raises(ConfigurationError, match="float16"):
        CyclicCode(3, 1, dtype=torch.float16)
    with pytest.raises(ConfigurationError, match="float32"):
        CyclicCode(3, 1, rows_dtype=torch.float32)
