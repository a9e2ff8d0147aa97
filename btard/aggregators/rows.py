"""The input of rules, n rows of d numbers, and the search for rows with NaN or Inf in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from btard.errors import ConfigurationError

Matrix = NDArray[np.float64]

Rows: TypeAlias = Tensor | Sequence[Tensor]
"""An (n, d) tensor, or n 1-D tensors of one length, dtype and device."""


class NonFiniteRows(ConfigurationError, ValueError):
    """Some rows hold NaN or Inf; `rows` names them. Their senders committed to these bytes."""

    def __init__(self, rows: tuple[int, ...], advice: str) -> None:
        names = ", ".join(map(str, rows))
        super().__init__(f"NaN or Inf in row{'s' if len(rows) > 1 else ''} {names}: {advice}")
        self.rows = rows


def as_rows(
    rows: Rows, what: str = "rows", count: int | None = None, dtypes: Sequence[torch.dtype] = ()
) -> Tensor:
    """Return the rows as one (n, d) tensor without gradient tracking; a tensor is not copied.

    Raises `ConfigurationError`, which calls them `what`, unless they are `count` rows (None: any number) of
    one shape, device and dtype: one of `dtypes`, or if there are none, any real floating one.
    """
    n = count or "n"
    if not isinstance(rows, Tensor):
        kinds = {(tuple(row.shape), row.dtype, row.device) for row in rows}
        if len(kinds) != 1 or rows[0].dim() != 1:
            raise ConfigurationError(
                f"{what} differ in shape, dtype or device, or are none: give {n} alike 1-D tensors"
            )
        rows = torch.stack([row.detach() for row in rows])
    if rows.dim() != 2 or 0 in rows.shape or rows.shape[0] != (count or rows.shape[0]):
        raise ConfigurationError(f"{what} have shape {tuple(rows.shape)}: give ({n}, d), n and d >= 1")
    if rows.dtype not in dtypes if dtypes else not rows.dtype.is_floating_point:
        wanted = " or ".join(map(str, dtypes)) or "a real floating dtype"
        raise ConfigurationError(f"{what} are {rows.dtype}: give {wanted}")
    return rows.detach()


def same_values(row_D: Tensor, other_D: Tensor) -> bool:
    """Return whether two rows are copies: NumPy tells four times as fast as `torch.equal`."""
    if row_D.device.type == "cpu" and row_D.dtype in (torch.float32, torch.float64):
        return np.array_equal(row_D.numpy(), other_D.numpy())
    return torch.equal(row_D, other_D)


def is_finite(values: Tensor) -> bool:
    """Return whether the sum of `values` is finite: then all of them are; else it may have overflowed."""
    return bool(values.sum().isfinite())


def refuse_non_finite(rows_ND: Tensor, columns: slice = slice(None)) -> None:
    """Raise `NonFiniteRows` naming every row that holds NaN or Inf, if some row does within `columns`.

    No rule spends a pass on this: NaN and Inf survive in all that is computed of a row, and if a product, a
    sum or a block of columns is not finite the rule asks here for the reason.
    """
    if bool(rows_ND[:, columns].isfinite().all()):
        return
    bad = tuple(i for i, row_D in enumerate(rows_ND) if not bool(row_D.isfinite().all()))
    raise NonFiniteRows(bad, 'leave them out or choose non_finite="drop"')
