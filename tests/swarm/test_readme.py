"""Every command of the README, as it stands there, in a fresh copy of what git knows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from btard.run.invitation import Invitation
from btard.training.tasks.digits import perceptron
from tests.swarm.commands import BIN, TIMEOUT_S, environment, wait_for_line

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.strip().splitlines()
]
PEER_FROM_PYTHON, LIBRARY = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
MAKE = [command for command in COMMANDS if command.startswith("make ")]
BOOTSTRAP = next(command for command in COMMANDS if "btard bootstrap" in command)
PEERS = [command for command in COMMANDS if "btard peer" in command]
JOINING = {each: each for each in PEERS} | {"python": shlex.join([sys.executable, "-c", PEER_FROM_PYTHON])}
INVITE = next(command for command in COMMANDS if "btard invite" in command)
REST = [command for command in COMMANDS if command not in (*MAKE, BOOTSTRAP, INVITE, *PEERS)]
ONE_BY_ONE = """
import shlex, sys
from btard.cli import main
for command in sys.argv[1:]:
    sys.argv = shlex.split(command)
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, command
    print("did", command)
"""
"""Follows commands in one process, so that torch is imported once."""

SMALLER = {
    "BTARD_SWARM_STEPS": "5",
    "BTARD_SIMULATE_PEERS": "4",
    "BTARD_SIMULATE_STEPS": "1",
    "BTARD_ARENA_ONLY": "rule=mean attack=none seed=0",
}
"""What these commands compute at full size is tested elsewhere."""


class Clone:
    """A copy of the files that git knows or would add, committed, with `btard` installed in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        known = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(known, cwd=ROOT, text=True).split("\0"):
            if (ROOT / name).is_file():
                target = path / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((ROOT / name).read_bytes())
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git(
            "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "clone"
        )
        (path / ".venv" / "bin").mkdir(parents=True)
        (path / ".venv" / "bin" / "btard").symlink_to(BIN / "btard")

    def git(self, *arguments: str) -> str:
        return subprocess.check_output(["git", *arguments], cwd=self.path, text=True)

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start a command of a shell."""
        return subprocess.Popen(
            ["sh", "-c", command],
            cwd=self.path,
            env={**environment(), **SMALLER, "PYTHONPATH": str(self.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def finish(child: subprocess.Popen[str]) -> str:
    said, _ = child.communicate(timeout=TIMEOUT_S)
    assert child.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def followed(clone: Clone) -> dict[str, str]:
    """What each command said. A smaller run stands for that of `make demo`, one simulated seed for many."""
    demo = "btard swarm --in-process --peers 3 --name demo"
    smaller = [re.sub(r"--seeds \d+", "--seeds 1", each) for each in REST]
    rest = clone.start(shlex.join([sys.executable, "-c", ONE_BY_ONE, demo, *smaller]))
    bootstrap = clone.start(f"exec {BOOTSTRAP}")
    try:
        line = wait_for_line(bootstrap, "--join").strip()
        assert line.startswith("btard peer --join "), "the line can be pasted as it is"
        address = line.split()[-1]
        peers = {name: clone.start(each.replace("ADDRESS", address)) for name, each in JOINING.items()}
        said = {name: finish(peer) for name, peer in peers.items()}
        said[INVITE] = finish(clone.start(INVITE.replace("RUN", "5e" * 32)))
    finally:
        bootstrap.terminate()
        said_by_bootstrap = finish(bootstrap)
    done = finish(rest)
    assert all(f"did {each}" in done for each in smaller)
    return said | {BOOTSTRAP: said_by_bootstrap} | dict.fromkeys(REST, done)


@pytest.mark.parametrize("command", MAKE)
def test_the_makefile_has_it(command: str) -> None:
    """What `make demo` runs, `test_demo.py` runs; what `make test` runs is this."""
    done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0


def test_every_command_does_what_it_says_and_leaves_nothing_that_git_would_add(
    clone: Clone, followed: dict[str, str]
) -> None:
    assert set(followed) == {*COMMANDS, "python"} - set(MAKE)
    assert all("finished" in followed[name] for name in JOINING)
    assert all(Invitation.parse(line) for line in followed[INVITE].splitlines())
    assert len(followed[INVITE].splitlines()) == 2
    assert clone.git("status", "--porcelain") == ""


def test_every_model_that_was_trained_can_be_loaded(clone: Clone, followed: dict[str, str]) -> None:
    found = sorted(clone.path.glob("runs/*/model.safetensors"))
    assert [path.parent.name for path in found] == [
        "curves",
        "demo",
        "demo-model",
        "one",
        "swarm",
        "three",
        "two",
    ]
    assert any((clone.path / "runs/curves/tensorboard").iterdir())
    for path in found:
        perceptron().load_state_dict(load_file(path))


def test_the_library_does_what_is_shown(tmp_path: Path) -> None:
    checked = (
        LIBRARY + "\nassert liars == (1, 4)\nassert torch.allclose(total, gradients.sum(0), atol=1e-5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", checked],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
