"""Keys, signatures and key files, intact and otherwise."""

from __future__ import annotations

import copy
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import Identity, verify
from btard.crypto.identity import SMALL_ORDER_KEYS
from btard.errors import IdentityError

SEED = bytes(range(32))
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def entropy(size: int) -> bytes:
    return SEED[:size]


def no_entropy(size: int) -> bytes:
    raise AssertionError("a key file that exists must be read")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "peer.key"
    umask = os.umask(0)  # the most permissive one
    try:
        Identity.load_or_create(path, entropy)
    finally:
        os.umask(umask)
    return path


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_signature_holds_for_its_own_message_and_peer_alone(message: bytes, other: bytes) -> None:
    identity, stranger = Identity.from_seed(SEED), Identity.from_seed(bytes(32))
    signature = identity.sign(message)
    assert verify(identity.peer, message, signature)
    assert verify(identity.peer, other, signature) == (other == message)
    assert not verify(stranger.peer, message, signature)


@given(
    st.binary(min_size=32, max_size=32) | st.binary(max_size=40),
    st.binary(max_size=40),
    st.binary(min_size=64, max_size=64) | st.binary(max_size=70),
)
def test_verifying_rubbish_says_no(peer: bytes, message: bytes, signature: bytes) -> None:
    assert not verify(peer, message, signature)


def test_a_key_under_which_one_signature_fits_all_messages_is_refused() -> None:
    universal_key, universal_signature = (1).to_bytes(32, "little"), (1).to_bytes(32, "little") + bytes(32)
    Ed25519PublicKey.from_public_bytes(universal_key).verify(universal_signature, b"one")
    Ed25519PublicKey.from_public_bytes(universal_key).verify(universal_signature, b"other")
    assert not verify(universal_key, b"one", universal_signature)


def test_the_refused_keys_are_exactly_the_encodings_of_points_of_small_order() -> None:
    """x^2 = (y^2 - 1) / (d y^2 + 1) and three doublings lead to the neutral point's y = 1."""

    def double(y: int) -> int:
        x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        return (y * y + x_squared) * pow(1 - D * x_squared * y * y, -1, P) % P

    for key in SMALL_ORDER_KEYS:
        y = int.from_bytes(key, "little") % 2**255
        assert double(double(double(y))) == 1
    # Five such y modulo p (orders 1, 2, 4 and two of order 8), and 0 and 1 written as p and p + 1.
    assert len({int.from_bytes(key, "little") % 2**255 % P for key in SMALL_ORDER_KEYS}) == 5
    assert len(SMALL_ORDER_KEYS) == 2 * (5 + 2)


def test_a_created_key_file_is_private_and_loads_as_the_same_identity(key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    assert Identity.load(key_file).peer == Identity.from_seed(SEED).peer
    assert Identity.load_or_create(key_file, no_entropy).seed == SEED
    assert list(key_file.parent.iterdir()) == [key_file]


def test_any_damage_to_a_key_file_is_found(key_file: Path) -> None:
    content = key_file.read_bytes()
    damaged = [content[:end] for end in range(len(content))]
    damaged += [content + b"\n", content + content, b" " + content, content.replace(b"\n", b"\r\n")]
    for at, byte in enumerate(content):
        damaged += [content[:at] + bytes([byte ^ flip]) + content[at + 1 :] for flip in (0x01, 0x20, 0x80)]
    for each in damaged:
        key_file.write_bytes(each)
        with pytest.raises(IdentityError):
            Identity.load_or_create(key_file, no_entropy)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version 1", "version 2", "unknown version"),
        ("seed 00", "seed 01", "corrupt"),
        ("btard identity", "-----BEGIN PRIVATE KEY-----", "is not a btard key file"),
    ],
)
def test_damage_and_a_newer_version_are_told_apart(key_file: Path, old: str, new: str, says: str) -> None:
    key_file.write_text(key_file.read_text().replace(old, new))
    with pytest.raises(IdentityError, match=says):
        Identity.load(key_file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o777])
def test_a_key_file_open_to_others_is_refused_with_the_command_to_run(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(IdentityError, match=rf"run `chmod 600 {key_file}`"):
        Identity.load(key_file)


def test_what_is_no_key_file_or_no_place_for_one_says_so(tmp_path: Path) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "nowhere")
    file.write_text("")
    with pytest.raises(IdentityError, match="btard keygen"):
        Identity.load(tmp_path / "none.key")
    for path, says in (
        (tmp_path, "is not a regular file"),
        (pipe, "is not a regular file"),
        (link, "no key file"),
        (file / "peer.key", "cannot be"),
    ):
        with pytest.raises(IdentityError, match=says):
            Identity.load_or_create(path, entropy)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_of_a_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(IdentityError, match="32 bytes"):
        Identity.from_seed(bytes(size))


def test_the_secret_is_neither_printed_nor_copied() -> None:
    identity = Identity.from_seed(SEED)
    assert SEED.hex() not in repr(identity)
    with pytest.raises(IdentityError, match="key file"):
        copy.copy(identity)
