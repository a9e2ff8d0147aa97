"""The boundary where an error becomes one sentence and an exit status."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from btard import cli, errors


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


@pytest.mark.parametrize("kind", tree(errors.BtardError), ids=lambda kind: kind.__name__)
def test_every_error_of_btard_is_one_sentence_and_status_1(
    kind: type[errors.BtardError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(kind("Port 80 is taken: name another."), monkeypatch) == 1
    assert capsys.readouterr() == ("", "btard: Port 80 is taken: name another.\n")


def test_the_keyboard_interrupts_with_status_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(KeyboardInterrupt(), monkeypatch) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_full_disk_is_one_sentence_that_names_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "ledger.db")
    assert run_with(full, monkeypatch) == 1
    expected = "btard: no space is left on the device for ledger.db: free some and run the command again.\n"
    assert capsys.readouterr() == ("", expected)


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run_with(ZeroDivisionError(), monkeypatch)


def test_help_waits_for_no_heavy_library() -> None:
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
    assert done.stdout.splitlines()[-1] == "[]"
