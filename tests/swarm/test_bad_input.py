"""What a person sees who got something wrong: one sentence that says what to do, and no traceback."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.swarm.commands import TIMEOUT_S, btard, environment, start, wait_for_line

NOBODY = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGfPU8B73FACBtnN8NDzdHPmXBbGQkzETiJhiikgqq9GQ"
LEDGER_BYTES = 100_000


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that failed."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("btard: ")
    return lines[0]


def test_an_address_that_is_none(tmp_path: Path) -> None:
    assert "paste the whole line" in complaint(btard("peer", "--join", "my.host:4000", cwd=tmp_path))


def test_a_bootstrap_that_nobody_answers_at(tmp_path: Path) -> None:
    assert "no bootstrap answers" in complaint(btard("peer", "--join", NOBODY, cwd=tmp_path))


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "choose another" in complaint(btard("bootstrap", "--port", str(port), cwd=tmp_path))


def test_a_key_file_that_is_corrupt(tmp_path: Path) -> None:
    key = tmp_path / "identity.key"
    assert btard("keygen", "--out", key, cwd=tmp_path).returncode == 0
    before = key.read_bytes()
    key.write_bytes(before[:-5] + b"beef\n")
    assert "identity.key" in complaint(btard("peer", "--join", NOBODY, "--key", key, cwd=tmp_path))
    assert key.read_bytes() == before[:-5] + b"beef\n", "it is left as it was"


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A bootstrap's address, and a run's configuration that differs from the one that it announces."""
    home = tmp_path_factory.mktemp("bootstrap")
    child = start(["bootstrap", "--peers", "2", "--steps", "10"], home)
    try:
        address = wait_for_line(child, "--join").split()[-1]
        other = start(
            ["bootstrap", "--peers", "2", "--steps", "11", "--tau", "3", "--save", "other.json"], home
        )
        try:
            wait_for_line(other, "--join")
        finally:
            other.terminate()
            other.communicate(timeout=TIMEOUT_S)
        yield address, home / "other.json"
    finally:
        child.terminate()
        child.communicate(timeout=TIMEOUT_S)


def test_a_run_with_another_configuration_lists_the_fields_that_differ(
    bootstrap: tuple[str, Path], tmp_path: Path
) -> None:
    address, other = bootstrap
    sentence = complaint(btard("peer", "--join", address, "--expect", other, cwd=tmp_path))
    assert "steps (11 here, 10 there)" in sentence
    assert "protocol.tau (3.0 here, 0.1 there)" in sentence


def test_a_port_of_a_peer_that_is_taken(bootstrap: tuple[str, Path], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in complaint(btard("peer", "--join", bootstrap[0], "--port", port, cwd=tmp_path))


def test_a_disk_that_is_full_ends_the_run_and_loses_no_record(tmp_path: Path) -> None:
    """The limit on a file's size stands for the full disk: the writing fails in the same place."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LEDGER_BYTES, LEDGER_BYTES))

    done = subprocess.run(
        [sys.executable, "-m", "btard", "swarm", "--in-process", "--peers", "3", "--steps", "200"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=limit,
    )
    assert "can't" in complaint(done)
    audited = btard("audit", "runs/swarm", cwd=tmp_path)
    assert audited.returncode == 0, audited.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--byzantine", "nonsense"), "choose of"),
        (("--byzantine", "ipm*0"), "ipm*2"),
        (("--peers", "4", "--byzantine", "ipm*2"), "use at most 1"),
        (("--task", "albert-huge"), "choose one of"),
        (("--tau", "-1"), "must be positive"),
        (("--peers", "4", "--validators", "3"), "use at most 2"),
        (("--steps", "5", "--attack-start", "5"), "5 steps"),
        (("--run-dir", "."), "choose another"),
    ],
)
def test_options_of_a_swarm_that_cannot_be(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    assert words in complaint(btard("swarm", "--in-process", *arguments, cwd=tmp_path))
    assert (tmp_path / "precious").exists()
