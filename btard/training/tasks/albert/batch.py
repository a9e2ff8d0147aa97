"""A batch of sequences from a public seed: pairs of segments, tokens masked, what there is to be guessed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from btard.crypto import Draw
from btard.data.text import Vocabulary
from btard.training.tasks.albert.masking import mask_tokens
from btard.training.tasks.albert.spans import Spans, Tokens


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Sequences [CLS] A [SEP] B [SEP], filled with [PAD]: all (B, L) int64 but the last three.

    `positions` (M,) are those of the tokens to be guessed, in the rows laid end to end, `targets` (M,) what
    they were; `swapped` (B,) is 1 if A follows B in the text, else 0.
    """

    tokens: Tensor
    attention_mask: Tensor
    segments: Tensor
    positions: Tensor
    targets: Tensor
    swapped: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the same on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))


def draw_batch(spans: Spans, vocabulary: Vocabulary, seed: bytes, size: int, length: int) -> Batch:
    """Return `size` sequences of spans drawn with replacement, of `length` tokens each.

    Everything is drawn from the keystream of `seed` and exact: the same on every device."""
    draw = Draw(seed, "albert pairs")
    indices = [draw.below(len(spans)) for _ in range(size)]
    return _batch(spans, indices, draw, vocabulary, seed, length)


def fixed_batch(spans: Spans, vocabulary: Vocabulary, seed: bytes, indices: range, length: int) -> Batch:
    """Return the spans of `indices`, segments and masks drawn from `seed`: for evaluations."""
    return _batch(spans, list(indices), Draw(seed, "albert pairs"), vocabulary, seed, length)


def _batch(
    spans: Spans, indices: list[int], draw: Draw, vocabulary: Vocabulary, seed: bytes, length: int
) -> Batch:
    shape = len(indices), length
    tokens: Tokens = np.full(shape, vocabulary.pad, np.int64)
    attention, segments = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    words = np.zeros(shape, np.bool_)
    swapped = np.zeros(len(indices), np.int64)
    for row, index in enumerate(indices):
        one, two, swapped[row] = spans.pair(index, draw)
        middle, end = len(one) + 2, len(one) + len(two) + 3
        tokens[row, :end] = [vocabulary.cls, *one, vocabulary.sep, *two, vocabulary.sep]
        attention[row, :end] = 1
        segments[row, middle:end] = 1
        words[row, :end] = True
        words[row, [0, middle - 1, end - 1]] = False
    masked, chosen = mask_tokens(tokens, words, vocabulary.mask, vocabulary.size, seed)
    positions = np.flatnonzero(chosen)
    arrays = masked, attention, segments, positions, tokens.reshape(-1)[positions], swapped
    return Batch(*map(torch.from_numpy, arrays))
