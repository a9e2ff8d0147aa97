"""Masks of masked-language modelling, from the keystream of a public seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from btard.crypto import keystream
from btard.training.tasks.albert.spans import Tokens

Flags = npt.NDArray[np.bool_]

SHARE = 15
"""Per cent of the words of a sequence that are to be guessed."""


def mask_tokens(
    tokens: Tokens, words: Flags, mask: int, vocabulary: int, seed: bytes
) -> tuple[Tokens, Flags]:
    """Return tokens (B, L) with some masked, and which ones are to be guessed (B, L).

    Of the m `words` of each row, round(0.15 m), halves up, but at least one are chosen (Devlin et al. 2019,
    section 3.1, as in their code): eight of ten of them become `mask`, one of ten any token of the
    `vocabulary`, one of ten stays. Every place has three words of 64 bits, little-endian, of the streams
    "albert chosen", "albert fate" and "albert random": the least of a row are chosen; fate modulo 10, random
    modulo the vocabulary. The remainders' bias is below 2^-48.
    """
    shape = tokens.shape
    rank = np.where(words, _words(seed, "albert chosen", shape) >> np.uint64(1), np.uint64(2**64 - 1))
    order = np.argsort(rank, axis=1, kind="stable")
    counts = np.maximum(1, (words.sum(axis=1) * 2 * SHARE + 100) // 200)
    chosen = np.zeros(shape, np.bool_)
    np.put_along_axis(chosen, order, np.arange(shape[1]) < counts[:, None], axis=1)
    fate = _words(seed, "albert fate", shape) % np.uint64(10)
    other = (_words(seed, "albert random", shape) % np.uint64(vocabulary)).astype(np.int64)
    masked = np.where(chosen & (fate < 8), mask, tokens)
    return np.where(chosen & (fate == 8), other, masked), chosen


def _words(seed: bytes, domain: str, shape: tuple[int, ...]) -> npt.NDArray[np.uint64]:
    rows, columns = shape
    return np.frombuffer(keystream(seed, domain, 8 * rows * columns), "<u8").reshape(shape)
