"""The file of results: what it keeps, what it refuses, and that other tools can read it."""

from __future__ import annotations

import errno
import math
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.arena.cell import FIELDS, NUMERICS
from btard.arena.store import COLUMNS, Store
from btard.errors import ConfigurationError
from btard.lab import Experiment, Measurement, Outcome, Seconds
from btard.pool import Failure
from tests.arena.cases import an_experiment, an_outcome

CELL = an_experiment()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r.sqlite"


def stored(path: Path) -> Path:
    with Store(path) as store:
        store.add(CELL, an_outcome(0.1, 0.5))
    return path


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    losses=st.lists(st.one_of(finite, st.just(math.inf)), min_size=1, max_size=4),
    diverged=st.none() | st.integers(0, 9),
    decode_errors=st.integers(0, 99),
    seconds=finite,
)
def test_outcome_comes_back_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory,
    losses: list[float],
    diverged: int | None,
    decode_errors: int,
    seconds: float,
) -> None:
    measurements = tuple(Measurement(step, loss, 1 / (step + 3)) for step, loss in enumerate(losses))
    outcome = Outcome(measurements, Seconds(seconds, 0.1, 0.2, 0.3, 0.4), diverged, decode_errors)
    with Store(tmp_path_factory.mktemp("store") / "r.sqlite") as store:
        store.add(CELL, outcome)
        assert store.results([CELL]) == {CELL: outcome}


def test_loss_that_is_no_number_is_none_in_the_file_and_comes_back(path: Path) -> None:
    outcome = Outcome((Measurement(0, math.nan, 0.1),), Seconds(1, 1, 1, 1, 1))
    with Store(path) as store:
        store.add(CELL, outcome)
        found = store.results([CELL])[CELL]
    assert isinstance(found, Outcome)
    assert math.isnan(found.final.loss)


def test_crash_is_kept_until_the_cell_ends(path: Path) -> None:
    with Store(path) as store:
        store.add(CELL, Failure("out of memory"))
        assert store.results([CELL, an_experiment(seed=1)]) == {CELL: Failure("out of memory")}
        store.add(CELL, an_outcome(0.1, 0.5))
        assert store.results([CELL]) == {CELL: an_outcome(0.1, 0.5)}


def test_results_of_another_version_or_device_stay_and_are_not_shown(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("btard.arena.store.NUMERICS", "btard 0.0.1, numerics 1")
        stored(path)
    with Store(path, "cuda:1") as store:
        store.add(CELL, an_outcome(0.1, 0.9))
    with Store(path) as store:
        assert store.results([CELL]) == {}
        store.add(CELL, an_outcome(0.1, 0.7))
        assert store.results([CELL]) == {CELL: an_outcome(0.1, 0.7)}
    rows = dict(sqlite3.connect(path).execute("SELECT numerics, accuracy FROM cells"))
    assert rows == {"btard 0.0.1, numerics 1, cpu": 0.5, f"{NUMERICS}, cpu": 0.7, f"{NUMERICS}, cuda": 0.9}


def test_other_tools_read_every_field_of_an_experiment(path: Path) -> None:
    cell = Experiment(rule="krum", byzantine=3, f=2, learning_rate=1, nesterov=True, momentum=0.9)
    with Store(path) as store:
        store.add(cell, an_outcome(0.1, 0.5))
        other = sqlite3.connect(path)  # while the arena has it open
        other.row_factory = sqlite3.Row
        row = other.execute("SELECT * FROM cells").fetchone()
    assert set(FIELDS) < set(row.keys()) == set(COLUMNS)
    assert {name: row[name] for name in FIELDS} == {name: getattr(cell, name) for name in FIELDS}
    assert (row["status"], row["accuracy"], row["aggregate_s"]) == ("done", 0.5, 0.4)
    types = {each[1]: each[2] for each in other.execute("PRAGMA table_info(cells)")}
    names = ("rule", "learning_rate", "f", "schedule", "nesterov")
    assert [types[name] for name in names] == ["TEXT", "REAL", "INTEGER", "TEXT", "INTEGER"]
    assert other.execute("SELECT step, accuracy FROM measurements").fetchall()[1]["accuracy"] == 0.5


@pytest.mark.parametrize("content", [b"not a database at all, but longer than a header of one\n" * 40, b"x"])
def test_file_of_something_else_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="not a file of btard's results: move it away"):
        Store(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("PRAGMA application_id = 0", "not a file of btard's results"),
        ("PRAGMA user_version = 2", "with other columns: choose another --out"),
        ("ALTER TABLE cells ADD COLUMN colour", "with other columns: choose another --out"),
    ],
)
def test_database_of_something_else_or_of_a_later_schema_is_refused(
    path: Path, change: str, said: str
) -> None:
    with sqlite3.connect(stored(path)) as other:
        other.execute(change)
    with pytest.raises(ConfigurationError, match=said):
        Store(path)


def test_damaged_file_is_refused(path: Path) -> None:
    stored(path)
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xa5" * (len(raw) - 4096)
    path.write_bytes(raw)
    with pytest.raises(ConfigurationError, match="is damaged: move it away"):
        Store(path)


def test_second_arena_in_a_folder_is_refused_until_the_first_ends(path: Path) -> None:
    with Store(path), pytest.raises(ConfigurationError, match="another `btard arena` works in"):
        Store(path)
    stored(path)


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot write .*: choose another --out"):
        Store(tmp_path / "file" / "r.sqlite")


def test_full_disk_is_an_error_of_the_machine_and_loses_nothing(path: Path) -> None:
    stored(path)
    with Store(path) as store:
        pages = store._database.execute("PRAGMA page_count").fetchone()[0]
        store._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OSError, match="No space left") as caught:
            store.add(an_experiment(seed=1), an_outcome(*[0.5] * 999))
    assert caught.value.errno == errno.ENOSPC
    with Store(path) as store:
        assert set(store.results([CELL, an_experiment(seed=1)])) == {CELL}
