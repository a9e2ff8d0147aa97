"""One random number per row, in one pass: the cyclic decoder locates adversaries by them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
import torch
from torch import Tensor

from btard.crypto import keystream

CHUNK = 1 << 13
"""Columns handled at once: bounds the complex128 copies of narrower rows, and the rounding of their sums."""


def chunks(rows_ND: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Return the rows' columns in order, up to CHUNK at a time, as complex128."""
    for start in range(0, rows_ND.shape[1], CHUNK):
        columns = slice(start, start + CHUNK)
        yield columns, rows_ND[:, columns].to(torch.complex128).resolve_conj()


def project(rows_ND: Tensor, seed: bytes) -> tuple[Tensor, Tensor]:
    """(e, norms): e = R u, (n,) complex128, and every row's 2-norm, (n,) float64, both on the CPU.

    u's coordinates are i.i.d. uniform over the 2^32 odd multiples of 2^-32 in (-1, 1), from the seed's
    keystreams, so a row's error of any shape stays invisible with probability about 2^-32 (see
    `btard.crypto.directions` for the argument) to who chose it before the seed was known.
    """
    sums: list[Tensor] = []
    squares: list[Tensor] = []
    for index, (_, chunk_NC) in enumerate(chunks(rows_ND)):
        stream = keystream(seed, f"coding/{index}", 4 * chunk_NC.shape[1])
        words = numpy.frombuffer(stream, dtype="<i4").astype(numpy.float64)
        u_C = torch.from_numpy((2.0 * words + 1.0) * 2.0**-32).to(chunk_NC.device)
        sums.append(chunk_NC @ u_C.to(torch.complex128))
        # Of the real view: the norm of complex numbers takes 40 times as long.
        squares.append(torch.linalg.vector_norm(torch.view_as_real(chunk_NC), dim=(1, 2)).square())
    # Summed at the end, as a cascade: a running sum would round more with every chunk.
    return torch.stack(sums).sum(0).cpu(), torch.stack(squares).sum(0).sqrt().cpu()
