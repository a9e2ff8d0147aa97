"""Workers: a cell that fails costs itself and nothing else."""

from __future__ import annotations

from contextlib import closing

from btard.arena.cell import Crash
from btard.arena.processes import Event, train_all
from btard.lab import run
from tests.arena.cases import an_experiment, an_outcome
from tests.arena.trainers import fails_on_purpose

RAISES, DIES, ENDS = (an_experiment(rule) for rule in ("median", "krum", "mean"))


def test_cell_that_raises_or_dies_is_told_with_its_reason_and_the_rest_goes_on() -> None:
    assert list(train_all((RAISES, DIES, ENDS), fails_on_purpose, "cpu", 1)) == [
        (RAISES, None),
        (RAISES, Crash("ZeroDivisionError: no")),
        (DIES, None),
        (DIES, Crash("its process was killed by SIGKILL")),
        (ENDS, None),
        (ENDS, an_outcome(0.1, 0.5)),
    ]


def test_one_who_stops_listening_ends_the_processes() -> None:
    heard: list[Event] = []
    with closing(train_all((RAISES, ENDS), run, "cpu", 1)) as events:
        heard.append(next(events))
    assert heard == [(RAISES, None)]
    assert list(events) == []


def test_no_cells_start_no_process() -> None:
    assert list(train_all((), run, "cpu", 2)) == []
