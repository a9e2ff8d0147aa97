"""Every command of the README, as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.swarm.commands import TIMEOUT_S, btard, start, wait_for_line

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.strip().splitlines()]
MAKE = [command for command in COMMANDS if command.startswith("make ")]
BOOTSTRAP = next(command for command in COMMANDS if "btard bootstrap" in command)
PEER = next(command for command in COMMANDS if "btard peer" in command)
AUDIT = next(command for command in COMMANDS if "btard audit" in command)
REST = [command for command in COMMANDS if command not in (*MAKE, BOOTSTRAP, PEER, AUDIT)]


def words(command: str) -> list[str]:
    """The arguments of an installed `btard`."""
    program, *arguments = shlex.split(command)
    assert program == ".venv/bin/btard"
    return arguments


@pytest.mark.parametrize("command", MAKE)
def test_the_makefile_has_it(command: str) -> None:
    """What `make demo` runs, `test_demo.py` runs; what `make test` runs is this."""
    done = subprocess.run([*shlex.split(command), "-n"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0


def test_the_audit_holds(tmp_path: Path) -> None:
    made = btard("swarm", "--in-process", "--peers", "3", "--steps", "12", "--name", "demo", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = btard(*words(AUDIT), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_peers_join_by_the_line_that_the_bootstrap_prints(tmp_path: Path) -> None:
    bootstrap = start(words(BOOTSTRAP), tmp_path)
    try:
        line = wait_for_line(bootstrap, "--join").strip()
        assert line.startswith("btard peer --join "), "the line can be pasted as it is"
        joining = PEER.replace("ADDRESS", line.split()[-1])
        homes = [tmp_path / "one", tmp_path / "two"]
        peers = []
        for home in homes:
            home.mkdir()
            peers.append(start(words(joining), home))
        for peer in peers:
            said, _ = peer.communicate(timeout=TIMEOUT_S)
            assert peer.returncode == 0, said
            assert "finished" in said
        assert btard("audit", "runs/mine", cwd=homes[0]).returncode == 0
    finally:
        bootstrap.terminate()
        bootstrap.communicate(timeout=TIMEOUT_S)


@pytest.mark.parametrize("command", REST)
def test_it_runs(command: str, tmp_path: Path) -> None:
    done = btard(*words(command), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("program", PYTHON)
def test_the_library_does_what_is_shown(program: str, tmp_path: Path) -> None:
    checked = (
        program + "\nassert liars == (1, 4)\nassert torch.allclose(total, gradients.sum(0), atol=1e-5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", checked], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
