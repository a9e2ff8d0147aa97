"""Domain-separated, injective BLAKE2b-256 digests."""

from __future__ import annotations

import hashlib

from btard.types import Digest

DIGEST_BYTES = 32

_PREFIX = b"btard/1/"


def digest(domain: str, *parts: bytes | bytearray | memoryview) -> Digest:
    """Return the digest of a sequence of byte strings in one domain, 32 bytes.

    `BLAKE2b-256(len(d) | d | len(part_0) | part_0 | ...)` where `d` is `"btard/1/" + domain` in UTF-8
    and every length is 8 bytes, little-endian. The lengths make it injective: no two different
    sequences (of any domains) feed the hash the same bytes. Parts are hashed without a copy; a memoryview
    must be C-contiguous, and its length is counted in bytes.
    """
    name = _PREFIX + domain.encode()
    state = hashlib.blake2b(len(name).to_bytes(8, "little") + name, digest_size=DIGEST_BYTES)
    for part in parts:
        size = part.nbytes if isinstance(part, memoryview) else len(part)
        state.update(size.to_bytes(8, "little"))
        state.update(part)
    return Digest(state.digest())
