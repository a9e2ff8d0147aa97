"""From a public seed to reproducible bytes, draws and projection directions: AES-256-CTR keystreams.

All are functions of their arguments alone: every peer, CPU or GPU, computes the same values. The key of
a stream is a domain-separated digest of the seed, so streams of different domains are independent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from struct import iter_unpack
from typing import TYPE_CHECKING, TypeVar

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from btard.crypto.digest import digest
from btard.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

DIRECTION_SCALE = math.sqrt((256**2 - 1) / 3)
"""Standard deviation of one coordinate of a direction: uniform over the 256 odd integers of [-255, 255]."""

_BLOCK_BYTES = 16
_CHUNK_BYTES = 1 << 20
_ZEROS = bytes(_CHUNK_BYTES)
_WORD_BYTES = 8
_WORDS = 1 << (8 * _WORD_BYTES)
_DRAW_BYTES = 256 * _WORD_BYTES


def keystream(seed: bytes, domain: str, length: int) -> bytes:
    """Return the first `length` bytes of the stream of (seed, domain).

    AES-256 in counter mode over zeros, the 128-bit big-endian counter from 0, under the key
    `digest("keystream", domain, seed)`. Raises ConfigurationError for a negative length.
    """
    return bytes(_window(digest("keystream", domain.encode(), seed), 0, length))


class Draw:
    """Unbiased choices from the keystream of (seed, domain), e.g. the pairs of validators and targets.

    Stateful: each choice consumes stream, so the same calls in the same order give the same choices.
    """

    def __init__(self, seed: bytes, domain: str) -> None:
        self._key = digest("keystream", domain.encode(), seed)
        self._offset = 0
        self._words: Iterator[tuple[int]] = iter(())

    def below(self, bound: int) -> int:
        """Draw a uniform integer in [0, bound), 1 <= bound <= 2^64.

        Reads big-endian 64-bit words and rejects those at or above the largest multiple of `bound`, so
        there is no modulo bias. More than one word is needed with probability below 1/2.
        """
        if not 1 <= bound <= _WORDS:
            raise ConfigurationError(f"the bound of a draw is {bound}: use 1 to 2^64 choices")
        limit = _WORDS - _WORDS % bound
        while True:
            word = self._word()
            if word < limit:
                return word % bound

    def shuffle(self, items: Sequence[T]) -> tuple[T, ...]:
        """Draw a permutation: Fisher-Yates from the last place down, place i swapped with below(i + 1)."""
        shuffled = list(items)
        for last in range(len(shuffled) - 1, 0, -1):
            other = self.below(last + 1)
            shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
        return tuple(shuffled)

    def _word(self) -> int:
        for (word,) in self._words:
            return word
        self._words = iter_unpack(">Q", _window(self._key, self._offset, _DRAW_BYTES))
        self._offset += _DRAW_BYTES
        return self._word()


def directions(seed: bytes, domain: str, count: int, start: int, length: int) -> torch.Tensor:
    """Return coordinates [start, start + length) of random directions: (count, length) float32, on the CPU.

    Coordinates are i.i.d. uniform over the odd integers of [-255, 255], exact in float32: 2 b - 255 for
    the keystream byte b at the coordinate's own offset. Divide projections by DIRECTION_SCALE for unit
    variance. Direction k has its own stream (key `digest("direction", domain, seed, k as 8 bytes LE)`),
    and a stream can be entered anywhere: the values of a coordinate do not depend on the window.

    Uniform bytes replace the Gaussians or signs of the paper: floating-point Gaussians differ between
    devices, and signs are weak against sparse forgeries. For a forged difference delta, fix all coordinates
    but the largest: <z, delta> then takes 256 values, 2 |delta|_inf apart, of which an interval
    [-T, T] holds at most floor(T / |delta|_inf) + 1. Hence for one direction, any delta and T,

        P(|<z, delta>| <= T) <= (floor(T / |delta|_inf) + 1) / 256,

    also for a delta with a single or two non-zero coordinates, where signs cancel with probability 1/2.

    Raises ConfigurationError for a negative count, start or length.
    """
    # Imported here: most users of this package (keys, messages) need not wait for torch.
    import torch

    if count < 0 or start < 0 or length < 0:
        raise ConfigurationError(
            f"a window is negative (count {count}, start {start}, length {length}): use numbers from 0"
        )
    result_KD = torch.empty((count, length), dtype=torch.float32)
    if length == 0:
        return result_KD
    for index in range(count):
        key = digest("direction", domain.encode(), seed, index.to_bytes(8, "little"))
        result_KD[index] = torch.frombuffer(_window(key, start, length), dtype=torch.uint8)
    return result_KD.mul_(2.0).sub_(255.0)


def _window(key: bytes, start: int, length: int) -> bytearray:
    """Return bytes [start, start + length) of the stream of one key."""
    if start < 0 or length < 0:
        raise ConfigurationError(f"a window is negative (start {start}, length {length}): use numbers from 0")
    block, skip = divmod(start, _BLOCK_BYTES)
    encryptor = Cipher(AES(key), CTR(block.to_bytes(_BLOCK_BYTES, "big"))).encryptor()
    encryptor.update(_ZEROS[:skip])
    stream = bytearray(length)
    view = memoryview(stream)
    for offset in range(0, length, _CHUNK_BYTES):
        part = view[offset : offset + _CHUNK_BYTES]
        part[:] = encryptor.update(memoryview(_ZEROS)[: len(part)])
    return stream
