"""A run's directory: what it refuses to touch, and when it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from btard.errors import BtardError, ConfigurationError, LedgerError
from btard.ledger.directory import CHECKPOINTS, RunDirectory
from btard.ledger.reader import LedgerReader
from btard.run.events import AttemptEnded
from tests.ledger.runs import disk_of, recorded


def a_step(index: int) -> AttemptEnded:
    return AttemptEnded(
        index=index, step=index, attempt=0, kind="step", disputed=False, roster=4, ledger="aa", model="bb"
    )


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The directory of an earlier run, with a note of its owner."""
    path = tmp_path / "run"
    with RunDirectory.create(path) as directory:
        directory.create_ledger(recorded()[1])
        directory.add_metrics(a_step(0))
        directory.write_summary({"steps": 1})
        directory.checkpoints.mkdir()
        for file in (directory.model, directory.checkpoints / "step-000001.safetensors"):
            file.write_bytes(b"tensors")
    (path / "notes.txt").write_text("mine")
    (path / CHECKPOINTS / "best.txt").write_text("mine, too")
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def test_an_earlier_run_is_refused_with_the_two_ways_out_and_left_as_it_was(earlier: Path) -> None:
    before = contents(earlier)
    with pytest.raises(ConfigurationError, match=r"choose another directory, or .* --overwrite"):
        RunDirectory.create(earlier)
    assert contents(earlier) == before


def test_replacing_deletes_what_the_run_wrote_and_nothing_else(earlier: Path) -> None:
    with RunDirectory.create(earlier, replace=True) as directory:
        assert contents(earlier) == {
            "notes.txt": b"mine",
            f"{CHECKPOINTS}/best.txt": b"mine, too",
            "metrics.jsonl": b"",
        }
    with RunDirectory.create(earlier) as directory:
        directory.create_ledger(recorded()[1])


def test_an_empty_directory_is_used_in_its_place(tmp_path: Path) -> None:
    """A mount point can be neither removed nor renamed, and a new file system has `lost+found`."""
    (tmp_path / "lost+found").mkdir()
    inode = tmp_path.stat().st_ino
    with RunDirectory.create(tmp_path):
        assert tmp_path.stat().st_ino == inode


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for replace in (False, True):
        with pytest.raises(ConfigurationError, match="holds other files"):
            RunDirectory.create(tmp_path, replace)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_a_directory_that_another_run_writes_is_refused_even_if_it_may_be_replaced(earlier: Path) -> None:
    with RunDirectory.create(earlier, replace=True) as directory:
        directory.add_metrics(a_step(0))
        before = contents(earlier)
        for replace in (False, True):
            with pytest.raises(LedgerError, match="another process"):
                RunDirectory.create(earlier, replace)
        assert contents(earlier) == before


def test_a_full_disk_is_noticed_before_anything_else(tmp_path: Path) -> None:
    with disk_of(1000), pytest.raises(ConfigurationError, match=r"cannot write .*: choose another directory"):
        RunDirectory.create(tmp_path / "run")
    for _ in range(2):  # a run that never began is in nobody's way
        RunDirectory.create(tmp_path / "run").close()


@pytest.mark.parametrize("path", ["file", "file/run"])
def test_a_place_that_cannot_be_a_directory_is_refused(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BtardError, match="choose another directory"):
        RunDirectory.create(tmp_path / path)
    assert contents(tmp_path) == {"file": b"in the way"}


def test_what_was_written_is_read(earlier: Path) -> None:
    with (earlier / "metrics.jsonl").open("a") as file:
        file.write('{"event": "attempt_en')  # the disk was full
    directory = RunDirectory.open(earlier)
    assert [event.index for event in directory.events()] == [0]
    assert directory.model.read_bytes() == b"tensors"
    with LedgerReader(directory.ledger) as reader:
        assert reader.header == recorded()[1]


def test_a_directory_without_a_run_is_not_opened(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigurationError, match="not the directory of a run"):
            RunDirectory.open(path)
