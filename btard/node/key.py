"""A peer's key, used by one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from btard.crypto import Identity
from btard.errors import IdentityError


@contextmanager
def hold_key(path: Path) -> Iterator[Identity]:
    """Load the key of `path`, or create it, and lock its file against other processes of this machine.

    Raises IdentityError if there is no usable key or another process holds it: two peers with one key would
    contradict each other, and lose their seat for it."""
    identity = Identity.load_or_create(path, os.urandom)
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise IdentityError(
                f"the key file {path} is in use by another process: give each peer its own with --key"
            ) from error
        yield identity
