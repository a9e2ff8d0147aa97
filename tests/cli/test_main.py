"""The boundary at which an error becomes one sentence and an exit status, and what all commands share."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click
import pytest
import typer

import btard
from btard import cli, errors
from btard.simulation import report, runner
from btard.simulation.checker import Violation


def tree(root: type[errors.BtardError]) -> list[type[errors.BtardError]]:
    """A class of errors and all of the shared vocabulary that derive from it."""
    below = [each for child in root.__subclasses__() for each in tree(child)]
    return [each for each in (root, *below) if each.__module__ == errors.__name__]


def run_with(trouble: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of a process whose command ends in `trouble`."""

    def failing() -> None:
        raise trouble

    monkeypatch.setattr(cli.app, "registered_commands", list(cli.app.registered_commands))
    cli.app.command("failing")(failing)
    monkeypatch.setattr(sys, "argv", ["btard", "failing"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert isinstance(stop.value.code, int)
    return stop.value.code


def commands() -> dict[str, click.Command]:
    """The commands by name."""
    group = typer.main.get_command(cli.app)
    return dict(group.commands)  # type: ignore[attr-defined]


def options() -> Iterator[tuple[str, click.Option]]:
    """Each option of each command, with its command's name."""
    for name, command in commands().items():
        yield from ((name, each) for each in command.params if each.param_type_name == "option")  # type: ignore[misc]


def test_a_command_makes_the_products_of_cuda_deterministic(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, found in ((None, ":4096:8"), (":16:8", ":16:8")):
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", {"CUBLAS_WORKSPACE_CONFIG": given} if given else {})
            run_with(errors.ConfigurationError("no"), patch)
            assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == found


@pytest.mark.parametrize("kind", tree(errors.BtardError), ids=lambda kind: kind.__name__)
def test_every_error_of_btard_is_one_sentence_and_its_status(
    kind: type[errors.BtardError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status = 4 if kind is errors.HaltedError else 1
    assert run_with(kind("Port 80 is taken: name another."), monkeypatch) == status
    assert capsys.readouterr() == ("", "btard: Port 80 is taken: name another.\n")


def test_ctrl_c_ends_with_a_word_and_status_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(KeyboardInterrupt(), monkeypatch) == 130
    assert capsys.readouterr() == ("", "btard: interrupted\n")


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "No space left on device"), (errno.EACCES, "Permission denied")]
)
def test_what_the_disk_refuses_is_one_sentence_that_names_the_file(
    number: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(OSError(number, words, "ledger.db"), monkeypatch) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"btard: ledger.db: {words}: check")
    assert said.err.count("\n") == 1


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run_with(ZeroDivisionError(), monkeypatch)


def test_help_lists_the_exit_statuses_and_waits_for_no_heavy_library() -> None:
    program = """
import sys
sys.argv = ["btard", "--help"]
from btard.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code
print(sorted({"grpc", "hivemind", "matplotlib", "numpy", "sklearn", "torch"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "keygen" in done.stdout
    assert all(f"{status}: " in done.stdout for status in (0, 1, 2, 3, 4, 130))
    assert "--install-completion" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_speaks_json_and_shows_an_example() -> None:
    for name, command in commands().items():
        flags = [each for each in command.params if each.name == "json"]
        assert [getattr(each, "is_flag", False) for each in flags] == [True], name
        assert f"Example: btard {name}" in (command.help or ""), name


def test_an_option_of_one_name_means_the_same_in_every_command() -> None:
    known: dict[str, tuple[object, ...]] = {}
    for name, option in options():
        if option.name in {"host", "port", "announce", "json", "seed", "tau", "clip", "validators", "config"}:
            if (name, option.name) == ("simulate", "seed"):
                continue
            facts = (option.opts, option.default, option.help, option.metavar)
            assert known.setdefault(option.name, facts) == facts, f"{name} {option.name}"


def test_an_option_can_be_given_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"PEERS": "5", "STEPS": "9", "PRINT_CONFIG": "1"}.items():
        monkeypatch.setenv(f"BTARD_BOOTSTRAP_{name}", value)
    monkeypatch.setattr(sys, "argv", ["btard", "bootstrap", "--steps", "7"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["peers"], printed["steps"]) == (5, 7), "the command line comes first"


def test_a_simulation_that_fails_ends_with_status_3_and_prints_its_sums_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> tuple[int | str | None, dict[str, Any]]:
        monkeypatch.setattr(sys, "argv", ["btard", "simulate", "--steps", "1", "--peers", "4", "--json"])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, json.loads(capsys.readouterr().out)

    status, sums = run()
    assert (status, sums["held"], sums["failed"]) == (0, True, {})
    assert sums["coverage"]["record step"] == {"runs": 1, "times": 1}
    tally = runner.SeedTally()
    tally.add(replace(runner.run_seed(0, runner.Overrides(4, 1)), violation=Violation("test", "planted")))
    monkeypatch.setattr(report, "run_all", lambda *_: tally)
    status, sums = run()
    assert (status, sums["held"], sums["failed"]) == (3, False, {"0": "planted"})


def test_every_public_name_of_the_package_is_there() -> None:
    names = [name for name in dir(btard) if not name.startswith("_")]
    assert {"run_peer", "SwarmSpec", "aggregators", "events"} <= set(names)
    assert all(getattr(btard, name) is not None for name in names)
    with pytest.raises(AttributeError, match="has no 'peers'"):
        _ = btard.peers


def test_importing_the_package_brings_nothing_heavy_along() -> None:
    program = "import sys; before = set(sys.modules); import btard; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "btard" in loaded
    assert [each for each in loaded if each.startswith("btard.") or each in ("torch", "pydantic")] == []
