"""What both codes give back, and the checks of what both are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from btard.errors import BtardError, ConfigurationError

Rows: TypeAlias = Tensor | Sequence[Tensor]
"""An (n, d) tensor, or n 1-D tensors of one length, dtype and device."""


class Undecodable(BtardError):
    """No sum is consistent with enough rows: more workers are adversarial than the code corrects."""


class Decoded(NamedTuple):
    """The sum of all n gradients, shape (d,), and the workers whose rows contradict it, ascending.

    A tuple: `total, adversarial = code.decode(rows)`.
    """

    sum: Tensor
    adversarial: tuple[int, ...]


def check_size(n: int, s: int) -> None:
    """Raises ConfigurationError unless n workers can correct s adversaries at all."""
    if any(isinstance(x, bool) or not isinstance(x, int) for x in (n, s)) or s < 0 or n < 2 * s + 1:
        raise ConfigurationError(
            f"n = {n} workers cannot correct s = {s} adversaries: give whole s >= 0 and n >= 2s + 1"
        )


def check_worker(worker: int, n: int) -> None:
    """Raises ConfigurationError unless `worker` is one of 0 .. n - 1."""
    if not 0 <= worker < n:
        raise ConfigurationError(f"there is no worker {worker}: give one of 0 to {n - 1}")


def stacked(rows: Rows, count: int, dtypes: tuple[torch.dtype, ...], what: str) -> Tensor:
    """The rows as one (count, d) tensor without gradient tracking; a tensor is not copied.

    Raises ConfigurationError, which calls them `what`, where number, shape or dtype are wrong. A row
    that did not come at all, or came malformed, is given as a row of NaN: it counts as adversarial.
    """
    if not isinstance(rows, Tensor):
        kinds = {(row.shape, row.dtype, row.device) for row in rows}
        if len(kinds) != 1 or rows[0].dim() != 1:
            raise ConfigurationError(
                f"{what} differ in shape, dtype or device: give {count} alike 1-D tensors"
            )
        rows = torch.stack([row.detach() for row in rows])
    if rows.dim() != 2 or rows.shape[0] != count or rows.shape[1] == 0:
        raise ConfigurationError(f"{what} have shape {tuple(rows.shape)}: give ({count}, d) with d >= 1")
    if rows.dtype not in dtypes:
        raise ConfigurationError(f"{what} are {rows.dtype}: give {' or '.join(map(str, dtypes))}")
    return rows.detach()
