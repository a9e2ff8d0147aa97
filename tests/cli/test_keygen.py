"""`btard keygen` as a person meets it: a real process, its output and its exit status."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from btard.crypto import Identity


def btard(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in an interpreter of its own, in `cwd`."""
    command = [sys.executable, "-m", "btard", *args]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_new_key_is_private_and_its_public_key_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "me.key"
    result = btard("keygen", "--key", str(path), cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == Identity.load(path).peer.hex() + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_default_file_is_in_the_working_directory_and_is_kept_the_second_time(tmp_path: Path) -> None:
    first, second = btard("keygen", cwd=tmp_path), btard("keygen", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["identity.key"]
    assert (first.returncode, first.stdout) == (second.returncode, second.stdout)


def test_a_corrupt_key_file_is_one_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(b"not a key\n")
    path.chmod(0o600)
    result = btard("keygen", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("btard: ")
    assert result.stderr.count("\n") == 1
    assert "identity.key" in result.stderr
    assert path.read_bytes() == b"not a key\n"


def test_a_path_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = btard("keygen", "--key", "file/me.key", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("btard: ")
    assert result.stderr.count("\n") == 1


def test_an_unknown_command_is_status_2(tmp_path: Path) -> None:
    assert btard("keygin", cwd=tmp_path).returncode == 2
