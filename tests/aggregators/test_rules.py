"""What every rule promises: purity, dtype, bounds, the non-finite policy, names."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from btard.aggregators import (
    Around,
    Bucketing,
    Bulyan,
    CenteredClip,
    Ctma,
    Krum,
    Mda,
    Mean,
    Median,
    MultiKrum,
    Nnm,
    NonFiniteRows,
    Plan,
    RowView,
    Rule,
    TooFewRows,
    TrimmedMean,
    parse,
)
from btard.errors import BtardError, ConfigurationError
from tests.aggregators.definitions import PLAIN

NAMES = [*PLAIN, "nnm+median", "nnm+ctma+median", "ctma+krum", "bucketing(s=2, seed=3)+centered_clip"]
ROBUST = [name for name in NAMES if name != "mean"]


def rows_like(n: int = 15, d: int = 40, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_dtype_is_kept_inputs_are_untouched_and_calls_repeat(name: str, dtype: torch.dtype) -> None:
    rows = rows_like(dtype=dtype)
    before = rows.clone()
    rule = parse(name, 3)
    first = rule(rows)
    assert torch.equal(rows, before)
    assert first.dtype == dtype
    assert first.shape == (40,)
    assert torch.equal(rule(rows), first)
    assert torch.equal(rule(list(rows)), first)
    wide = rule(rows.double())
    tolerance = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(first.double(), wide, rtol=tolerance, atol=tolerance)
    first.fill_(7.0)
    assert torch.equal(rows, before), "the result shares no memory with the rows"


def test_a_seed_given_to_a_rule_reaches_every_draw_in_it() -> None:
    assert Bucketing(Median(), s=3, seed=1, f=2).with_seed(7) == Bucketing(Median(), s=3, seed=7, f=2)
    drawn = parse("nnm+ctma+bucketing(s=2)+bucketing(s=1)+median", 1).with_seed(7)
    assert drawn == parse("nnm+ctma+bucketing(s=2, seed=7)+bucketing(s=1, seed=7)+median", 1)
    assert Nnm(Krum(f=1), f=1).with_seed(7) == Nnm(Krum(f=1), f=1), "what draws nothing stays itself"


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_every_seed_of_64_bits_draws_and_only_another_one_draws_anew(seed: int) -> None:
    rows = rows_like()
    rule = parse("bucketing(s=2)+median", 3).with_seed(seed)
    assert torch.equal(rule(rows), rule(rows))
    assert not torch.equal(rule(rows), rule.with_seed(1)(rows))


@pytest.mark.parametrize("name", ROBUST)
@pytest.mark.parametrize("f", [0, 1, 3])
def test_weights_and_chosen_rows_make_the_aggregate(name: str, f: int) -> None:
    rows = rows_like(dtype=torch.float64)
    selection = parse(name, f).select(rows)
    if selection.weights is not None:
        torch.testing.assert_close(selection.weights @ rows, selection.aggregate)
        assert float(selection.weights.sum()) == pytest.approx(1.0)
        if selection.chosen is not None:
            assert selection.weights.nonzero().flatten().tolist() == list(selection.chosen)


@pytest.mark.parametrize("name", ROBUST)
@pytest.mark.parametrize("huge", [1e6, 1e30])
def test_f_rows_far_away_do_not_carry_the_aggregate_along(name: str, huge: float) -> None:
    rows = 1.0 + 0.1 * rows_like()
    rows[[2, 5, 11]] = -huge
    aggregate = parse(name, 3)(rows)
    if not name.startswith("bucketing"):
        assert float((aggregate - 1.0).abs().max()) < 1.0


@pytest.mark.parametrize(
    ("rule", "minimum"),
    [
        (Mean(), 1),
        (Median(f=2), 5),
        (TrimmedMean(f=2), 5),
        (Krum(f=2), 7),
        (MultiKrum(f=0), 3),
        (Mda(f=2), 5),
        (Bulyan(f=2), 11),
        (CenteredClip(1.0), 1),
        (CenteredClip(1.0, f=3), 7),
        (Nnm(Krum(f=2), f=2), 7),
        (Ctma(Median(f=1), f=3), 7),
        (Bucketing(Krum(f=1), s=2), 9),
    ],
)
def test_too_few_rows_are_refused_with_the_bound(rule: Rule, minimum: int) -> None:
    assert rule.minimum_rows == minimum
    rule(rows_like(minimum))
    if minimum > 1:
        with pytest.raises(TooFewRows, match=rf"n >= {minimum}, and got {minimum - 1} rows") as caught:
            rule(rows_like(minimum - 1))
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, BtardError)


@dataclasses.dataclass(frozen=True, slots=True)
class Sorted(Around):
    """Somebody's own rule: `base` of the rows sorted by their distance to the first."""

    def plan(self, rows: RowView) -> Plan:
        mixing = np.eye(len(rows))[np.argsort(rows.squared_distances()[0], kind="stable")]
        return self.base.plan(rows.mixed(mixing)).through(mixing)


def test_anybodys_rule_can_be_put_around_another() -> None:
    rows = rows_like()
    rows[7] = float("nan")
    rule = Sorted(Nnm(Bucketing(Krum(f=3), s=1), f=3), f=3, non_finite="drop")
    assert (rule.minimum_rows, rule.bound) == (9, "n >= max(2f + 1, 9)")
    assert rule.with_seed(7) == Sorted(rule.base.with_seed(7), f=3, non_finite="drop")
    selection = Sorted(Median(), f=1, non_finite="drop").select(rows)
    assert selection.dropped == (7,)
    assert torch.equal(selection.aggregate, Median()(torch.cat([rows[:7], rows[8:]])))


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", NAMES)
def test_non_finite_rows_are_refused_by_index(name: str, poison: float) -> None:
    rows = rows_like()
    rows[4, 39] = rows[9, 0] = poison
    with pytest.raises(NonFiniteRows, match="rows 4, 9") as caught:
        parse(name, 3)(rows)
    assert caught.value.rows == (4, 9)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("name", [name for name in ROBUST if "+" not in name])
def test_dropping_goes_on_with_what_is_left_of_f(name: str) -> None:
    rows = rows_like(dtype=torch.float64)
    rows[4] = float("nan")
    rows[9, 3] = float("inf")
    rule = dataclasses.replace(parse(name, 3), non_finite="drop")
    kept = [i for i in range(15) if i not in (4, 9)]
    selection = rule.select(rows)
    assert selection.dropped == (4, 9)
    assert torch.equal(selection.aggregate, parse(name, 1)(rows[kept]))
    if selection.weights is not None:
        assert selection.weights.shape == (15,)
        assert selection.weights[[4, 9]].tolist() == [0.0, 0.0]
        torch.testing.assert_close(selection.weights[kept] @ rows[kept], selection.aggregate)
    if selection.chosen is not None:
        assert not {4, 9} & set(selection.chosen)


def test_dropping_lowers_f_of_the_base_as_well() -> None:
    rows = rows_like(15)
    rows[0] = float("nan")
    rule = Nnm(Ctma(Krum(f=3), f=3), f=3, non_finite="drop")
    assert torch.equal(rule(rows), Nnm(Ctma(Krum(f=2), f=2), f=2)(rows[1:]))


def test_more_than_f_non_finite_rows_are_too_many_to_drop() -> None:
    rows = rows_like()
    rows[:3] = float("nan")
    with pytest.raises(NonFiniteRows, match="only f = 2 may be dropped"):
        TrimmedMean(f=2, non_finite="drop")(rows)
    with pytest.raises(NonFiniteRows, match="only f = 0"):
        Mean(non_finite="drop")(rows)


@pytest.mark.parametrize(
    "rows",
    [
        torch.zeros(4),
        torch.zeros(4, 3, 2),
        torch.zeros(0, 3),
        torch.zeros(3, 0),
        torch.zeros(4, 3, dtype=torch.int64),
        torch.zeros(4, 3, dtype=torch.complex64),
        [],
        [torch.zeros(3), torch.zeros(4)],
        [torch.zeros(3), torch.zeros(3, dtype=torch.float64)],
        [torch.zeros(3, 1)],
    ],
    ids=str,
)
def test_what_is_no_matrix_of_rows_is_refused(rows: Tensor | list[Tensor]) -> None:
    with pytest.raises(ConfigurationError, match="give"):
        Median()(rows)


def test_names_compose_from_left_to_right_around_the_last() -> None:
    assert parse("nnm+ctma+median", 3) == Nnm(Ctma(Median(f=3), f=3), f=3)
    assert parse("brute", 2) == parse("mda", 2) == Mda(f=2)
    assert parse("centered_clip(tau=1e+1)") == CenteredClip(10.0)
    assert parse(" nnm + krum(neighbours=5, power=1) ", 2) == Nnm(Krum(f=2, neighbours=5, power=1), f=2)
    assert parse("bucketing(s=3, seed=9)+mean", 1) == Bucketing(Mean(), s=3, seed=9, f=1)
    assert parse("median(non_finite=drop)", 1) == Median(f=1, non_finite="drop")


@pytest.mark.parametrize("text", ["medain", "nnm", "median+nnm", "nnm+", "krum(m=3)", "nnm+nnm"])
def test_a_name_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse(text, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Median(f=-1),
        lambda: Mean(f=1),
        lambda: Krum(f=1, neighbours=0),
        lambda: Krum(f=1, power=0.0),
        lambda: Bucketing(Mean(), s=0),
        lambda: Bucketing(Mean(), seed=-1),
        lambda: Bucketing(Mean()).with_seed(2**64),
        lambda: Median(non_finite="keep"),  # type: ignore[arg-type]
    ],
)
def test_an_argument_that_cannot_be_is_refused(make: object) -> None:
    with pytest.raises(ConfigurationError):
        make()  # type: ignore[operator]


def test_arguments_that_do_not_fit_the_rows_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="give at most that"):
        Krum(f=1, neighbours=9)(rows_like(9))
    with pytest.raises(ConfigurationError, match="1 <= m <= n - f"):
        MultiKrum(f=1, m=9)(rows_like(9))
