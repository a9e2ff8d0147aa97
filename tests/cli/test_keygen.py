"""`btard keygen` as a person meets it: a real process, its output and its exit status."""

from __future__ import annotations

import stat
from pathlib import Path

from btard.crypto import Identity
from tests.swarm.commands import btard


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


def test_a_file_that_is_no_key_or_cannot_be_made_is_one_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(b"not a key\n")
    path.chmod(0o600)
    for name in ("identity.key", "identity.key/me.key"):
        result = btard("keygen", "--key", name, cwd=tmp_path)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith("btard: ")
        assert result.stderr.count("\n") == 1
        assert "identity.key" in result.stderr
    assert path.read_bytes() == b"not a key\n"
