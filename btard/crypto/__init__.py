"""Keys, digests, commitments and the expansion of public seeds. No clock and no entropy of its own."""

from __future__ import annotations

from btard.crypto.commitment import SALT_BYTES, commit, opens
from btard.crypto.digest import DIGEST_BYTES, digest
from btard.crypto.expansion import DIRECTION_SCALE, Draw, directions, keystream
from btard.crypto.identity import PEER_ID_BYTES, SIGNATURE_BYTES, Identity, verify

__all__ = [
    "DIGEST_BYTES",
    "DIRECTION_SCALE",
    "PEER_ID_BYTES",
    "SALT_BYTES",
    "SIGNATURE_BYTES",
    "Draw",
    "Identity",
    "commit",
    "digest",
    "directions",
    "keystream",
    "opens",
    "verify",
]
