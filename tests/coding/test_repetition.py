"""The repetition code: the majority of a group is right, bit by bit or within a tolerance."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from btard.coding import RepetitionCode, Undecodable
from btard.errors import ConfigurationError
from tests.coding.cases import ATTACKS, attacked, gradients_of, relative_error, sent


@settings(max_examples=200)
@given(st.data())
def test_s_colluders_in_every_group_are_outvoted(data: st.DataObject) -> None:
    s, groups = data.draw(st.integers(0, 3)), data.draw(st.integers(1, 4))
    r = 2 * s + 1
    code = RepetitionCode(groups * r, s, tolerance=data.draw(st.sampled_from([0.0, 1e-3])))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32)))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))
    gradients = gradients_of(code, generator, dtype=dtype)
    picks = [data.draw(st.sets(st.integers(0, r - 1), max_size=s)) for _ in range(groups)]
    bad = tuple(sorted(group * r + i for group, pick in enumerate(picks) for i in pick))
    decoded = code.decode(
        attacked(sent(code, gradients), bad, data.draw(st.sampled_from(ATTACKS)), generator)
    )
    assert decoded.adversarial == bad
    assert decoded.sum.dtype == dtype
    assert relative_error(decoded.sum, gradients) < 1e-5


def test_a_difference_of_one_bit_is_adversarial_unless_tolerated() -> None:
    code = RepetitionCode(3, 1)
    gradients = torch.ones(3, 4)
    rows = sent(code, gradients)
    rows[0, 2] = torch.nextafter(rows[0, 2], torch.tensor(math.inf))
    assert code.decode(rows).adversarial == (0,)
    assert RepetitionCode(3, 1, tolerance=1e-6).decode(rows).adversarial == ()


def test_an_adversary_within_the_tolerance_frames_no_honest_worker() -> None:
    code = RepetitionCode(5, 2, tolerance=0.01)
    rows = torch.tensor([[0.991], [0.992], [1.0], [1.001], [1.0005]])
    rows[3:] += 0.0005
    assert code.decode(rows).adversarial == ()


def test_rows_that_are_not_finite_are_adversarial_even_when_equal() -> None:
    code = RepetitionCode(6, 1)
    rows = sent(code, torch.ones(6, 2))
    rows[0], rows[5] = math.nan, math.inf
    decoded = code.decode(rows)
    assert decoded.adversarial == (0, 5)
    assert decoded.sum.tolist() == [6.0, 6.0]
    rows[1] = math.nan
    with pytest.raises(Undecodable, match="workers 0 to 2"):
        code.decode(rows)


@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_a_group_without_a_majority_is_not_decoded(tolerance: float) -> None:
    with pytest.raises(Undecodable, match="more than s = 1"):
        RepetitionCode(3, 1, tolerance).decode(torch.tensor([[1.0], [2.0], [3.0]]))


def test_decoding_leaves_its_input_and_takes_a_list_of_rows() -> None:
    code = RepetitionCode(6, 1)
    rows = sent(code, torch.arange(12.0).reshape(6, 2))
    rows[4] = 0.0
    before = rows.clone()
    assert torch.equal(code.decode(rows).sum, code.decode(list(rows)).sum)
    assert torch.equal(rows, before)


def test_groups_are_consecutive() -> None:
    assert (
        RepetitionCode(6, 1).assignment.int().tolist() == [[1, 1, 1, 0, 0, 0]] * 3 + [[0, 0, 0, 1, 1, 1]] * 3
    )


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="groups of 2s"):
        RepetitionCode(7, 1)
    with pytest.raises(ConfigurationError, match="2s"):
        RepetitionCode(3, 2)
    with pytest.raises(ConfigurationError, match="tolerance"):
        RepetitionCode(3, 1, tolerance=1.0)
    with pytest.raises(ConfigurationError, match="no worker"):
        RepetitionCode(3, 1).encode(-1, torch.zeros(3, 2))
    with pytest.raises(ConfigurationError, match="int64"):
        RepetitionCode(3, 1).decode(torch.zeros(3, 2, dtype=torch.int64))
