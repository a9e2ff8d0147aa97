"""Hash commitments: binding by collision resistance, hiding by a random salt."""

from __future__ import annotations

import hmac

from btard.crypto.digest import digest
from btard.errors import ConfigurationError
from btard.types import Digest

SALT_BYTES = 32


def commit(domain: str, value: bytes, salt: bytes) -> Digest:
    """Commit to `value` with a fresh secret salt of 32 bytes: `digest("commitment", domain, salt, value)`.

    A commitment doesn't say whose it is: put the committer's key into `value`, or another peer may copy
    the commitment and later the opening (BTARD's MPRNG commits to H(i, x_i, salt_i) for this reason).
    Raises ConfigurationError where the salt has another size.
    """
    if len(salt) != SALT_BYTES:
        raise ConfigurationError(
            f"a commitment needs a salt of {SALT_BYTES} bytes, not {len(salt)}: draw a new one"
        )
    return digest("commitment", domain.encode(), salt, value)


def opens(domain: str, commitment: bytes, value: bytes, salt: bytes) -> bool:
    """Whether (value, salt) opens the commitment; False for a salt of a wrong size, never an exception.

    The comparison takes constant time.
    """
    return len(salt) == SALT_BYTES and hmac.compare_digest(commitment, commit(domain, value, salt))
