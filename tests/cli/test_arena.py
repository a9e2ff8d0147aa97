"""`btard arena` as a person runs it: to the end, killed half-way, interrupted, and given what cannot be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from btard import cli
from btard.arena import Store, read_spec, show
from btard.arena.show import RESULTS, run_arena
from btard.lab import Experiment, Outcome, run
from tests.arena.cases import TINY, TINY_CELLS, an_outcome


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all results of the spec, computed without an interruption and without processes."""
    folder = tmp_path_factory.mktemp("whole")
    with Store(folder / RESULTS) as store:
        for experiment in read_spec(spec).experiments():
            store.add(experiment, run(experiment))
    return folder


def started(spec: Path, out: Path) -> subprocess.Popen[str]:
    """The command in a process group of its own, as a terminal starts it."""
    command = [sys.executable, "-m", "btard", "arena", str(spec), "--out", str(out), "--jobs", "1"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )


def hear_interrupts() -> None:
    """What a shell starts in the background ignores them, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def fails_on_purpose(experiment: Experiment, device: str) -> Outcome:
    """In place of the laboratory: an exception for the median, an outcome for other rules."""
    if experiment.rule == "median":
        raise ZeroDivisionError("no\nmedian")
    return an_outcome(0.1, 0.5)


def until_a_cell_is_done(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert any(line.lstrip().startswith("2/") for line in process.stdout)


def report(out: Path) -> dict[str, bytes]:
    files = [out / "report.md", out / "report.html", *sorted((out / "figures").iterdir())]
    return {path.name: path.read_bytes() for path in files}


Status = Callable[..., int | str | None]


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> Status:
    """Runs the command in this process, and returns its exit status."""

    def run_command(*arguments: object) -> int | str | None:
        monkeypatch.setattr(sys, "argv", ["btard", "arena", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code

    return run_command


def test_arena_killed_half_way_goes_on_and_writes_the_same_report(
    spec: Path, whole: Path, tmp_path: Path
) -> None:
    assert run_arena(str(spec), whole)
    killed = tmp_path / "killed"
    process = started(spec, killed)
    until_a_cell_is_done(process)
    process.kill()
    # The end of its output is the end of its workers, too: they hold the other end of the pipe.
    process.communicate(timeout=60)
    assert not (killed / "report.md").exists()
    assert run_arena(str(spec), killed, jobs=1)
    assert report(killed) == report(whole)


def test_arena_interrupted_ends_with_130_and_says_how_to_go_on(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = started(spec, tmp_path)
    until_a_cell_is_done(process)
    os.killpg(process.pid, signal.SIGINT)
    output, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert f"of {TINY_CELLS} cells are kept in {tmp_path / 'results.sqlite'}" in output
    assert "run this again to continue" in output
    assert run_arena(str(spec), tmp_path, jobs=1, only=["rule=mean", "attack=none", "seed=0"])
    assert "1 cells, 1 of them known" in capsys.readouterr().out


def test_cell_that_crashes_is_in_the_report_and_the_status_is_3(
    spec: Path,
    tmp_path: Path,
    status: Status,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(show, "run", fails_on_purpose)
    assert status(spec, "--out", tmp_path, "--jobs", 1, "--only", "attack=none", "--only", "seed=0") == 3
    assert "rule=median: ZeroDivisionError: no" in capsys.readouterr().out
    assert "- `rule=median`: ZeroDivisionError: no" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_without_matplotlib_only_the_figures_are_left_out(
    spec: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [each for each in sys.modules if each.startswith("matplotlib.")]:
        monkeypatch.setitem(sys.modules, name, None)
    assert run_arena(str(spec), whole)
    assert "no figures without matplotlib: pip install 'btard[figures]'" in capsys.readouterr().out
    assert "<img" not in (whole / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "more", "sentence"),
    [
        ("title = 3", [], "is wrong: title is 3: input should be a valid string"),
        (TINY.replace("workers = 5", "workers = 2"), [], "rule=median attack=none"),
        (TINY.replace('"mean"', '"means"'), [], "'means' is not a rule"),
        (TINY, ["--only", "rule=krum"], "no cell has rule=krum"),
        (TINY, ["--out", "foreign"], "move it away"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_run(
    text: str,
    more: list[str],
    sentence: str,
    tmp_path: Path,
    status: Status,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text(text, encoding="utf-8")
    Path("foreign").mkdir()
    Path("foreign", RESULTS).write_text("something else\n" * 100)
    assert status("bad.toml", "--out", "out", *more) == 1
    error = capsys.readouterr().err
    assert error.startswith("btard: ")
    assert error.count("\n") == 1
    assert sentence in error
    assert not Path("out").exists()
