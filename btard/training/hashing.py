"""Digests of many byte strings at once, on as many threads as torch may use.

BLAKE2b lets go of the interpreter while it works.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from btard.crypto import digest
from btard.types import Bytes, Digest

THREADED_BYTES_MIN = 1 << 21
"""Less is hashed before another thread has woken up."""


def digests(domain: str, pieces: Sequence[Bytes]) -> list[Digest]:
    """Return `digest(domain, piece)` of each piece, in order."""
    threads = min(torch.get_num_threads(), len(pieces))
    if threads < 2 or sum(map(len, pieces)) < THREADED_BYTES_MIN:
        return [digest(domain, piece) for piece in pieces]
    with ThreadPoolExecutor(threads, "btard hashing") as pool:
        return list(pool.map(lambda piece: digest(domain, piece), pieces))
