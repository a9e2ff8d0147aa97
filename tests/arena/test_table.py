"""Results -> tables, curves and times, on outcomes written by hand."""

from __future__ import annotations

from itertools import product, starmap

import pytest

from btard.arena.cell import Result
from btard.arena.curves import curves
from btard.arena.layout import Split, splits
from btard.arena.table import Table, accuracy, accuracy_table, half_width, timing_table
from btard.lab import Experiment
from btard.pool import Failure
from tests.arena.cases import an_experiment, an_outcome

CELLS = tuple(starmap(an_experiment, product(("mean", "median"), ("none", "alie"), (0, 1))))


def the_split(cells: tuple[Experiment, ...] = CELLS) -> Split:
    (split,) = splits(cells, "rule", "attack")
    return split


def of(known: dict[Experiment, Result]) -> Table:
    return accuracy_table(the_split(), "rule", known, {}, last=1)


# Both seeds of mean under none, of mean under alie, of median under none, and of median under alie.
ACCURACIES = (0.9, 1.0, 0.2, 0.3, 0.8, 0.8, 0.5, 0.7)
ALL: dict[Experiment, Result] = {
    each: an_outcome(0.1, accuracy) for each, accuracy in zip(CELLS, ACCURACIES, strict=True)
}


def test_entry_is_mean_and_interval_and_the_best_of_a_column_is_marked() -> None:
    mean, median = of(ALL).rows
    assert [entry.text for entry in mean.entries] == ["95.0 ± 63.5", "25.0 ± 63.5", "25.0 (alie)"]
    assert [entry.text for entry in median.entries] == ["80.0 ± 0.0", "60.0 ± 127.1", "60.0 (alie)"]
    assert [entry.best for entry in mean.entries] == [True, False, False]
    assert [entry.best for entry in median.entries] == [False, True, True]


def test_worst_case_is_unknown_while_a_cell_is_missing_or_crashed() -> None:
    cell = an_experiment("mean", "alie", 1)
    for known in ({k: v for k, v in ALL.items() if k != cell}, ALL | {cell: Failure("out of memory")}):
        mean, median = of(known).rows
        assert mean.entries[-1].text == "–"
        assert median.entries[-1].best
    assert of(ALL | {cell: Failure("out of memory")}).rows[0].entries[1].text == "20.0 ‡1"


def test_cell_that_cannot_be_takes_no_part_in_the_worst_case() -> None:
    refused = {each: "too few rows" for each in CELLS if (each.rule, each.attack) == ("mean", "alie")}
    known = {each: result for each, result in ALL.items() if each not in refused}
    mean = accuracy_table(the_split(), "rule", known, refused, last=1).rows[0]
    assert [entry.text for entry in mean.entries] == ["95.0 ± 63.5", "not possible", "95.0 (none)"]


def test_nothing_run_yet_is_said() -> None:
    assert {entry.text for row in of({}).rows for entry in row.entries} == {"not run", "–"}


def test_diverged_run_counts_as_chance_and_is_counted() -> None:
    gone = an_outcome(0.2, 0.9, 0.1, diverged=2)
    known = ALL | {an_experiment("mean", "none", 1): gone}
    assert accuracy(gone, last=3) == 0.1
    assert of(known).rows[0].entries[0].text.endswith("†1")


def test_accuracy_is_the_mean_of_the_last_evaluations() -> None:
    outcome = an_outcome(0.1, 0.2, 0.6, 0.7)
    assert accuracy(outcome, last=1) == 0.7
    assert accuracy(outcome, last=3) == pytest.approx(0.5)
    assert accuracy(outcome, last=99) == pytest.approx(0.4)


def test_fields_that_vary_besides_rows_and_columns_split_the_tables() -> None:
    cells = tuple(
        Experiment(byzantine=byzantine, rule=rule, attack="alie", seed=seed)
        for byzantine, rule, seed in product((3, 7), ("mean", "median"), (0, 1))
    )
    assert [each.name for each in splits(cells, "rule", "attack")] == ["byzantine = 3", "byzantine = 7"]
    (turned,) = splits(cells, "byzantine", "rule")
    assert (turned.rows, turned.columns, turned.name) == (("3", "7"), ("mean", "median"), "")


def test_place_that_the_grid_leaves_out_is_empty() -> None:
    cells = (an_experiment("mean", "none"), an_experiment("median", "alie"))
    entry = accuracy_table(the_split(cells), "rule", {}, {}, last=1).rows[0].entries[1]
    assert (entry.text, entry.note) == ("not possible", "not in the grid")


def test_curve_is_mean_and_range_of_the_seeds() -> None:
    known: dict[Experiment, Result] = {
        an_experiment("mean", "none", 0): an_outcome(0.1, 0.2, 0.6),
        an_experiment("mean", "none", 1): an_outcome(0.1, 0.4, 0.8),
    }
    (curve,) = curves(the_split(), "none", known)
    assert (curve.row, curve.steps) == ("mean", (0, 1, 2))
    assert curve.mean == pytest.approx((10, 30, 70))
    assert (curve.least, curve.greatest) == ((10, 20, 60), (10, 40, 80))


def test_curve_of_a_diverged_run_falls_to_chance_where_it_diverged() -> None:
    known: dict[Experiment, Result] = {
        an_experiment("mean", "none"): an_outcome(0.2, 0.9, diverged=0),
        an_experiment("median", "none"): an_outcome(0.2, 0.5, 0.6),
    }
    mean, median = curves(the_split(), "none", known)
    assert mean.steps == median.steps == (0, 1, 2)
    assert mean.mean == (20, 90, 90)


def test_times_are_a_step_s_and_decode_errors_are_summed() -> None:
    known: dict[Experiment, Result] = {
        an_experiment("mean", "none", 0): an_outcome(0.1, 0.5, decode_errors=2),
        an_experiment("mean", "none", 1): an_outcome(0.1, 0.5, decode_errors=1, diverged=1),
    }
    (row,) = timing_table(the_split(), ("rule", "attack"), known).rows
    assert row.names == ("mean", "none")
    # Three steps of the first seed, two of the second.
    gradients, *_, aggregate, errors = row.entries
    assert gradients.value == pytest.approx((100 / 3 + 100 / 2) / 2)
    assert aggregate.value == pytest.approx((400 / 3 + 400 / 2) / 2)
    assert errors.text == "3 of 5"


def test_interval_of_student_s_sleep_data() -> None:
    """Extra hours of sleep, drug 2 less drug 1 (Student 1908): mean 1.58, s = 1.23, half width 0.88."""
    hours = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    assert half_width(hours) == pytest.approx(0.8798861, rel=1e-6)


def test_one_value_has_no_interval_and_equal_ones_a_point() -> None:
    assert half_width([0.5]) is None
    assert half_width([0.5, 0.5]) == 0
