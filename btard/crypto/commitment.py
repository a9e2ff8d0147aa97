"""Hash commitments: binding by collision resistance, hiding by a random salt."""

from __future__ import annotations

import hmac

from btard.crypto.digest import digest
from btard.errors import ConfigurationError
from btard.types import Digest

SALT_BYTES = 32


def commit(domain: str, value: bytes, salt: bytes) -> Digest:
    """Commit to `value` with a fresh secret salt of 32 bytes: `digest("commitment", domain, salt, value)`.

    A commitment does not name its author: put the author's key into `value`, or another peer may copy
    the commitment and later the opening (the MPRNG of BTARD commits to H(i, x_i, salt_i) for this reason).
    Raises ConfigurationError if the salt has another size.
    """
    if len(salt) != SALT_BYTES:
        raise ConfigurationError(f"the salt has {len(salt)} bytes: draw one of {SALT_BYTES} bytes")
    return digest("commitment", domain.encode(), salt, value)


def opens(domain: str, commitment: bytes, value: bytes, salt: bytes) -> bool:
    """Return whether (value, salt) opens the commitment, in constant time. A salt has one size."""
    return len(salt) == SALT_BYTES and hmac.compare_digest(commitment, commit(domain, value, salt))
