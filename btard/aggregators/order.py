"""Order statistics of every column by a selection network over cache-sized blocks of columns.

`torch.sort(rows, 0)` sorts d short strided columns; a network instead takes whole rows of a block
through `minimum` and `maximum`, which vectorise. The network is Batcher's merge exchange (Knuth, TAOCP 3,
5.2.2, algorithm M; any n), without the comparators, or halves of them, that the wanted ranks do not need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from btard.aggregators.blocks import mixed_blocks, row_blocks
from btard.aggregators.rows import Matrix

COLUMNS_CPU = 1 << 15
COLUMNS_ACCELERATOR = 1 << 20


@lru_cache(maxsize=256)
def network(n: int, first: int, last: int) -> tuple[tuple[int, int, bool, bool], ...]:
    """Comparators after which wires first..last - 1 of n hold the ranks first..last - 1, 0 the least.

    (low, high, keep_low, keep_high): the lesser goes to wire `low`, the greater to `high`, if still needed.
    """
    live = set(range(first, last))
    kept: list[tuple[int, int, bool, bool]] = []
    for low, high in reversed(list(_merge_exchange(n))):
        if low in live or high in live:
            kept.append((low, high, low in live, high in live))
            live |= {low, high}
    return tuple(reversed(kept))


def by_column(
    rows_ND: Tensor,
    statistic: Callable[[Tensor], Tensor],
    chosen: tuple[int, ...] | None = None,
    mixing: Matrix | None = None,
) -> Tensor:
    """`statistic` of every column, shape (d,), computed block by block: (n, b) in, (b,) out.

    The columns are those of all rows, of the `chosen` ones, or of mixtures by `mixing` (k, n). Half precision
    is widened within a block, so that sums are rounded once. Raises `NonFiniteRows` for rows that are read.
    """
    columns = COLUMNS_CPU if rows_ND.device.type == "cpu" else COLUMNS_ACCELERATOR
    if mixing is None:
        blocks = row_blocks(rows_ND, chosen, columns)
    else:
        blocks = mixed_blocks(rows_ND, mixing, columns)
    result_D = rows_ND.new_empty(rows_ND.shape[1])
    for part, rows_NB in blocks:
        result_D[part] = statistic(rows_NB)
    return result_D


def ranks(rows_NB: Tensor, first: int, last: int) -> list[Tensor]:
    """Return the ranks first..last - 1 of every column of finite rows, ascending, each of shape (b,)."""
    *wires, spare = rows_NB.new_empty(rows_NB.shape[0] + 1, rows_NB.shape[1]).unbind()
    for wire, row in zip(wires, rows_NB, strict=True):
        wire.copy_(row)
    for wire_low, wire_high, keep_low, keep_high in network(rows_NB.shape[0], first, last):
        low, high = wires[wire_low], wires[wire_high]
        if keep_low and keep_high:
            torch.minimum(low, high, out=spare)
            torch.maximum(low, high, out=high)
            wires[wire_low], spare = spare, low
        elif keep_low:
            torch.minimum(low, high, out=low)
        else:
            torch.maximum(low, high, out=high)
    return wires[first:last]


def median(rows_NB: Tensor) -> Tensor:
    """Return the median of every column, the average of the two middle values for even n; shape (b,)."""
    n = rows_NB.shape[0]
    middle = ranks(rows_NB, (n - 1) // 2, n // 2 + 1)
    return middle[0] if len(middle) == 1 else (middle[0] + middle[1]) / 2


def mean_around_median(rows_NB: Tensor, keep: int) -> Tensor:
    """Return the mean of the `keep` values nearest to the median of every column, shape (b,).

    Of values equally near, those of the rows with the lowest indices are kept.
    """
    n = rows_NB.shape[0]
    # Row by row: operations this small run on one thread, without waking and awaiting the others.
    distances_NB = torch.empty_like(rows_NB, memory_format=torch.contiguous_format)
    median_B = median(rows_NB)
    for row_B, distance_B in zip(rows_NB, distances_NB, strict=True):
        torch.sub(row_B, median_B, out=distance_B).abs_()
    radius_B, *next_B = ranks(distances_NB, keep - 1, min(keep + 1, n))
    # Comparisons go into 0.0 and 1.0 of the rows' own dtype: counting bools is many times slower.
    kept_B, at_edge_B, total_B = radius_B.new_empty(3, len(radius_B)).unbind()
    # Without a tie at the edge nothing needs counting; with one, room is filled in row order.
    room_B: Tensor | None = None
    if next_B and bool((next_B[0] == radius_B).any()):
        room_B = torch.full_like(radius_B, keep)
        for distance_B in distances_NB:
            room_B -= torch.lt(distance_B, radius_B, out=kept_B)
    total_B.zero_()
    for row_B, distance_B in zip(rows_NB, distances_NB, strict=True):
        torch.le(distance_B, radius_B, out=kept_B)
        if room_B is not None:
            torch.eq(distance_B, radius_B, out=at_edge_B)
            kept_B.addcmul_(at_edge_B, room_B <= 0, value=-1.0)
            room_B -= at_edge_B
        total_B.addcmul_(row_B, kept_B)
    return total_B / keep


def _merge_exchange(n: int) -> Iterator[tuple[int, int]]:
    top = 1 << max(0, (n - 1).bit_length() - 1)
    p = top if n > 1 else 0
    while p:
        q, residue, distance = top, 0, p
        while True:
            yield from ((i, i + distance) for i in range(n - distance) if i & p == residue)
            if q == p:
                break
            distance, q, residue = q - p, q // 2, p
        p //= 2
