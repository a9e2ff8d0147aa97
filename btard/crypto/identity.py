"""A peer's Ed25519 key pair, its key file, and signature verification."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from btard.crypto.digest import digest
from btard.errors import IdentityError
from btard.types import PeerId, short

SEED_BYTES = 32
PEER_ID_BYTES = 32
SIGNATURE_BYTES = 64

_HEADER = "btard identity"
_VERSION = "1"
_KEY_FILE_BYTES_MAX = 4096
# The encodings, canonical or not, of the 8 points of small order. Under such a key one signature fits many
# messages, so it proves nothing.
_SMALL_ORDER_Y = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)
SMALL_ORDER_KEYS = frozenset(
    y[:31] + bytes([y[31] | sign]) for y in map(bytes.fromhex, _SMALL_ORDER_Y) for sign in (0x00, 0x80)
)


class Identity:
    """An Ed25519 key pair; `peer` is its public half. Its text form never shows the secret 32-byte `seed`."""

    __slots__ = ("_key", "peer", "seed")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.seed = key.private_bytes_raw()
        self.peer = PeerId(key.public_key().public_bytes_raw())

    @classmethod
    def from_seed(cls, seed: bytes) -> Identity:
        """Make the key pair of a secret 32-byte seed (RFC 8032). Raises IdentityError for another size."""
        if len(seed) != SEED_BYTES:
            raise IdentityError(f"the seed of an identity has {len(seed)} bytes: use {SEED_BYTES} bytes")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load(cls, path: str | Path) -> Identity:
        """Read a key file. Raises IdentityError if it is missing, unreadable, corrupt or not private."""
        return cls.from_seed(_parse(_read(Path(path)), Path(path)))

    @classmethod
    def load_or_create(cls, path: str | Path, entropy: Callable[[int], bytes]) -> Identity:
        """Read a key file, or create it (mode 0600, never overwriting) from `entropy(32)`.

        `entropy(n)` returns n secret random bytes: `os.urandom` outside of tests. Missing parent
        directories are created for their owner alone. Raises IdentityError as `load` does, and if the
        file cannot be written.
        """
        path = Path(path)
        # lexists: a dangling symbolic link is not a free name; `load` reports it.
        if os.path.lexists(path):
            return cls.load(path)
        identity = cls.from_seed(entropy(SEED_BYTES))
        try:
            _create(path, _render(identity.seed))
        except FileExistsError:
            return cls.load(path)
        except OSError as error:
            raise IdentityError(
                f"the key file {path} cannot be written ({error.strerror}): choose another place for it"
            ) from error
        return identity

    def sign(self, message: bytes) -> bytes:
        """Make the 64-byte Ed25519 signature of a message, deterministically. Callers separate domains."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"Identity({short(self.peer)})"

    def __reduce__(self) -> str:
        raise IdentityError(
            "an identity cannot be copied to another process: give it the path of the key file"
        )


def verify(peer: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` is that of `peer` over `message`. Never raises, whatever the bytes are.

    Keys of small order are refused: they would let one signature fit many messages.
    """
    if len(peer) != PEER_ID_BYTES or len(signature) != SIGNATURE_BYTES or bytes(peer) in SMALL_ORDER_KEYS:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(peer).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _render(seed: bytes) -> bytes:
    lines = f"{_HEADER}\nversion {_VERSION}\nseed {seed.hex()}\n"
    return f"{lines}check {digest('identity file', lines.encode()).hex()}\n".encode()


def _parse(content: bytes, path: Path) -> bytes:
    """Return the seed in a key file, which must be what `_render` writes, byte by byte."""
    lines = content.decode("ascii", errors="replace").split("\n")
    if lines[0] != _HEADER:
        raise IdentityError(f"{path} is not a btard key file: give the path of one, or of a file to create")
    version = lines[1] if len(lines) > 1 else ""
    if version.startswith("version ") and version != f"version {_VERSION}":
        raise IdentityError(f"the key file {path} has an unknown version: restore it or update btard")
    try:
        seed = bytes.fromhex(lines[2].removeprefix("seed "))
    except (IndexError, ValueError):
        seed = b""
    if len(seed) != SEED_BYTES or _render(seed) != content:
        raise IdentityError(f"the key file {path} is corrupt: restore it from a backup or move it away")
    return seed


def _read(path: Path) -> bytes:
    # Non-blocking: a named pipe in the file's place must not hang the peer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise IdentityError(f"{path} is not a regular file: give the path of a key file")
            # Windows has no such bits: its files inherit the access list of the directory.
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise IdentityError(f"the key file {path} is open to other users: run `chmod 600 {path}`")
            return os.read(descriptor, _KEY_FILE_BYTES_MAX)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        detail = f"there is no key file {path}: create one with `btard keygen --key {path}`"
        raise IdentityError(detail) from error
    except OSError as error:
        detail = f"the key file {path} cannot be read ({error.strerror}): check its path"
        raise IdentityError(detail) from error


def _create(path: Path, content: bytes) -> None:
    """Write a new file and bring it to disk; leave nothing behind on failure."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
