"""Which of n projected rows are adversarial: the error locator polynomial, and a check of what it said.

With C[p, q] = exp(-2 pi i p q / n) / sqrt(n), C1 its first n - 2s columns and C2 the last 2s, honest
projections are in the range of C1. Any n - s rows that are consistent with C1 determine the same codeword
as the honest ones among them (at least n - 2s, and any n - 2s rows of C1 are a basis), so a set of n - s
consistent rows is right however it was found. Hence the search may guess, and only the check must be strict.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor

EXACT = 64.0 * torch.finfo(torch.float64).eps
"""A residual, as a part of the largest row's norm, that the sums over d alone may leave."""


def code_basis(n: int, s: int) -> Tensor:
    """C1: the first n - 2s columns of the Fourier matrix, (n, n - 2s) complex128."""
    p = torch.arange(n)
    return _unit(-(p[:, None] * p[None, : n - 2 * s]), n) / math.sqrt(n)


def fit(e_N: Tensor, basis_NK: Tensor, rows: list[int]) -> tuple[Tensor, float]:
    """Return the codeword, (n,), that fits `rows` of e best, and the largest residual over them."""
    a_K = torch.linalg.lstsq(basis_NK[rows], e_N[rows, None], driver="gelsd", rcond=1e-15).solution
    codeword_N = (basis_NK @ a_K).flatten()
    return codeword_N, float((codeword_N - e_N)[rows].abs().max())


def consistent_rows(
    e_N: Tensor, norms_N: Tensor, basis_NK: Tensor, s: int, tolerance: float
) -> list[int] | None:
    """Return all usable rows or the most consistent n - s of them, None if none are consistent.

    Consistent: the residual of the fit is at most `tolerance` times the largest norm among these rows. That
    bounds the rounding of any gradients, mostly far from below; so it admits, but the least residual
    decides, unless one is within EXACT, which nothing can better. Unusable are rows whose projection or norm
    is not finite.
    """
    n = len(e_N)
    usable = (e_N.isfinite() & norms_N.isfinite()).tolist()
    lost = [i for i in range(n) if not usable[i]]
    if len(lost) > s:
        return None
    kept = [i for i in range(n) if usable[i]]
    best, least = None, tolerance
    for rows in chain([kept], _candidates(e_N, norms_N, lost, s)):
        scale = float(norms_N[rows].max())
        residual = fit(e_N, basis_NK, rows)[1] / scale if scale else 0.0
        if residual <= least:
            best, least = rows, residual
            if residual <= EXACT:
                break
    return best


def _candidates(e_N: Tensor, norms_N: Tensor, lost: list[int], s: int) -> Iterator[list[int]]:
    """Yield sets of n - s rows, the likeliest first.

    Chen et al. locate once. But a row of 1e30 drowns the syndromes of the others' errors in its rounding,
    so the j largest rows are also set aside in turn, j = 0, 1, ..: an erased row is an error of the
    honest rows' size. And with fewer than s errors the s x s system is singular: lower ranks are tried too.
    """
    n = len(e_N)
    largest = [
        i for i in norms_N.nan_to_num(0.0).argsort(descending=True, stable=True).tolist() if i not in lost
    ]
    for aside in range(s - len(lost) + 1):
        erased = lost + largest[:aside]
        for rank in range(s, 0, -1):
            suspicion_N = _locator(e_N, erased, s, rank)
            suspicion_N[erased] = -1.0
            dropped = set(suspicion_N.argsort(stable=True)[:s].tolist())
            yield [i for i in range(n) if i not in dropped]


def _locator(e_N: Tensor, erased: list[int], s: int, rank: int) -> Tensor:
    """|P| at every row's root of unity, (n,): small at the adversarial ones.

    Syndromes E = C2^H e obey E[k + s] = sum_j a_j E[k + j], and P(z) = z^s - sum_j a_j z^j has the roots
    exp(2 pi i p / n) of the adversarial rows p (Chen et al. 2018, the cyclic code's decoder).
    """
    n = len(e_N)
    e_N = e_N.clone()
    e_N[erased] = 0.0
    p, m = torch.arange(n), torch.arange(2 * s)
    syndromes = _unit((n - 2 * s + m)[:, None] * p[None, :], n) @ e_N
    syndromes = syndromes / syndromes.abs().max().clamp_min(torch.finfo(torch.float64).tiny)
    hankel = syndromes[m[:s, None] + m[None, :s]]
    u, values, vh = torch.linalg.svd(hankel)
    values = values[:rank].clamp_min(torch.finfo(torch.float64).tiny)
    a = vh[:rank].mH @ ((u[:, :rank].mH @ syndromes[s:]) / values)
    z = _unit(p[:, None] * torch.arange(s + 1)[None, :], n)
    values_N: Tensor = z[:, s] - z[:, :s] @ a
    return values_N.abs().nan_to_num(math.inf)


def _unit(exponents: Tensor, n: int) -> Tensor:
    """exp(2 pi i k / n), complex128; exponents are reduced first, which keeps full precision."""
    angle = (exponents % n).to(torch.float64) * (2.0 * torch.pi / n)
    return torch.polar(torch.ones_like(angle), angle)
