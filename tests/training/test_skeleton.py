"""What `btard new-task` writes trains and is fit for a swarm; so is a model of Hugging Face in 30 lines."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from btard import cli
from btard.errors import ConfigurationError
from btard.ledger.directory import RunDirectory
from btard.run.events import AttemptEnded, Event
from btard.run.plan import plan_run
from btard.swarm.in_process import run_in_process
from btard.swarm.spec import SwarmSpec
from btard.training import TASKS
from btard.training.check import check_task
from btard.training.skeleton import write_task

ROOT = Path(__file__).parents[2]
LINES_MAX = 30


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, in which tasks are found."""
    monkeypatch.setattr("btard.training.registry.TASKS", dict(TASKS))
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_task_is_fit_for_a_swarm(here: Path) -> None:
    write_task("fresh_task", here)
    report = check_task("fresh_task:fresh_task", {"batch_size": "8"})
    assert (report.faults, report.notes) == ([], [])


def test_a_swarm_trains_a_new_task_as_it_is(here: Path) -> None:
    write_task("trained_task", here)
    plan = plan_run("trained_task:trained_task", peers=3, steps=40, delta_s=1.0)
    events: list[Event] = []
    with RunDirectory.create(here / "run") as directory:
        run_in_process(SwarmSpec(plan), directory, events.append, evaluate_every=5)
    metrics = [event.metrics for event in events if isinstance(event, AttemptEnded) and event.metrics]
    assert metrics[-1]["accuracy"] > 0.9 > metrics[0]["accuracy"]


def test_a_new_task_is_in_the_style_of_this_project(here: Path) -> None:
    path = write_task("styled_task", here)
    config = str(ROOT / "pyproject.toml")
    for arguments in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "--config", config, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("my-task", "use letters, digits and _"),
        ("class", "use letters, digits and _"),
        ("../task", "use letters, digits and _"),
        ("", "use letters, digits and _"),
        ("torch", "a module that exists: choose another name"),
    ],
)
def test_a_name_that_no_module_can_have_is_refused(name: str, sentence: str, here: Path) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        write_task(name, here)
    assert list(here.iterdir()) == []


def test_a_file_that_exists_is_left_as_it_is(here: Path) -> None:
    (here / "kept.py").write_text("precious")
    with pytest.raises(ConfigurationError, match="exists: choose another name"):
        write_task("kept", here)
    assert (here / "kept.py").read_text() == "precious"
    with pytest.raises(ConfigurationError, match=r"cannot write .*choose another --dir"):
        write_task("other", here / "kept.py")


def test_the_command_says_what_to_do_next(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["btard", "new-task", "told_task", "--dir", "tasks"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    assert (here / "tasks" / "told_task.py").exists()
    assert "btard check-task told_task:told_task" in capsys.readouterr().out


# ---------------------------------------------------------------- a model of Hugging Face


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example, in whose folder one is."""
    monkeypatch.setattr("btard.training.registry.TASKS", dict(TASKS))
    monkeypatch.setattr("sys.path", list(sys.path))
    path = ROOT / "examples" / "task" / "letters.py"
    monkeypatch.chdir(path.parent)
    return path


def test_a_model_of_hugging_face_is_a_task_in_thirty_lines(letters: Path) -> None:
    """Imports aside, which every file of it has."""
    source = letters.read_text()
    last = max(
        node.lineno for node in ast.parse(source).body if isinstance(node, ast.ImportFrom | ast.Import)
    )
    assert len([line for line in source.splitlines()[last:] if line.strip()]) <= LINES_MAX


def test_that_task_is_fit_for_a_swarm(letters: Path) -> None:
    report = check_task("letters:letters", {"batch_size": "8"})
    assert (report.faults, report.notes) == ([], [])
    assert report.measured["ATEN_CPU_CAPABILITY=default"] < 1e-6
