"""Random steps with adversaries in them."""

from __future__ import annotations

import torch
from torch import Tensor

from btard.coding import CyclicCode, RepetitionCode

Code = CyclicCode | RepetitionCode
ATTACKS = ("reversed", "constant", "random")


def gradients_of(
    code: Code, generator: torch.Generator, d: int = 20, dtype: torch.dtype = torch.float32
) -> Tensor:
    """All n gradients, (n, d): half of the time alike, half independent."""
    g = torch.randn(code.n, d, generator=generator, dtype=dtype)
    alike = bool(torch.randint(2, (), generator=generator))
    return g[0] + 0.1 * g if alike else g


def sent(code: Code, gradients: Tensor) -> Tensor:
    """The honest rows, (n, d)."""
    return torch.stack([code.encode(i, gradients[code.assignment[i]]) for i in range(code.n)])


def attacked(rows: Tensor, bad: tuple[int, ...], attack: str, generator: torch.Generator) -> Tensor:
    """A copy of the rows in which the `bad` reverse theirs, or send a constant, or noise."""
    rows = rows.clone()
    for i in bad:
        if attack == "reversed":
            rows[i] *= -100.0
        elif attack == "constant":
            rows[i] = -100.0
        else:
            rows[i] = 100.0 * torch.randn(rows.shape[1], generator=generator, dtype=rows.dtype)
    return rows


def relative_error(found: Tensor, gradients: Tensor) -> float:
    """|found - sum of gradients| / |sum of gradients|."""
    exact = gradients.double().sum(0)
    return float((found.double() - exact).norm() / exact.norm())
