"""DRACO's cyclic code: any n >= 2s + 1 workers, 2s + 1 gradients each, no groups."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import torch
from torch import Tensor

from btard.aggregators.rows import Rows, as_rows
from btard.coding.decoded import Decoded, Undecodable, check_size, check_worker
from btard.coding.locator import EXACT, code_basis, consistent_rows, fit
from btard.coding.projection import chunks, project
from btard.errors import ConfigurationError

RESOLUTION_MAX = 0.1
"""A code is refused when an error of this part of a row's norm could be taken for rounding."""

_DOUBLE = torch.finfo(torch.float64).eps


@dataclass(frozen=True, slots=True)
class CyclicCode:
    """Worker i computes gradients i .. i + 2s (mod n) and sends their sum with complex weights.

    W = C1 Q, with C1 the first n - 2s columns of the n x n Fourier matrix, row i supported on i .. i + 2s
    and Q's first row all ones. `dtype` is that of gradients and sum, float32 or float64; `rows_dtype` that of
    what is sent: complex128, or complex64 for half the bytes if the code is conditioned well enough.

    The weights grow with n and s: max|W| is 1.4 at (7, 2), 24 at (15, 3), 1.8e5 at (45, 5), and rounding
    grows with them. `conditioning` and `resolution` state it; beyond RESOLUTION_MAX the constructor raises
    ConfigurationError. So complex64 ends at about (20, 4) and complex128 at about (45, 5).

    Source: Chen et al. 2018, the cyclic code and its Fourier decoder. Deviations: the weights in closed
    form (column k of Q is the polynomial whose roots are where column k of W is 0, so W is circulant)
    instead of n linear systems, and complex128; see `decode` for the rest.
    """

    n: int
    s: int
    dtype: torch.dtype = torch.float32
    rows_dtype: torch.dtype = torch.complex128

    def __post_init__(self) -> None:
        check_size(self.n, self.s)
        if self.dtype not in (torch.float32, torch.float64):
            raise ConfigurationError(f"gradients of {self.dtype}: give torch.float32 or torch.float64")
        if self.rows_dtype not in (torch.complex64, torch.complex128):
            raise ConfigurationError(f"rows of {self.rows_dtype}: give torch.complex64 or torch.complex128")
        if not self.resolution <= RESOLUTION_MAX:
            advice = "lower n or s, or use RepetitionCode"
            if self.rows_dtype == torch.complex64:
                advice = f"only complex128 may be usable here; if that is refused too, {advice}"
            raise ConfigurationError(
                f"the cyclic code for n = {self.n}, s = {self.s} has weights up to {self.conditioning:.1e}"
                f" and cannot tell errors from the rounding of {self.rows_dtype}: {advice}"
            )

    @property
    def redundancy(self) -> int:
        """How many gradients each worker computes: 2s + 1."""
        return 2 * self.s + 1

    @property
    def assignment(self) -> Tensor:
        """(n, n) bool: row i marks the gradients that worker i computes."""
        i = torch.arange(self.n)
        return (i[None, :] - i[:, None]) % self.n < self.redundancy

    @property
    def weights(self) -> tuple[complex, ...]:
        """W[i, i + d mod n] for d = 0 .. 2s, the same for every worker i: sqrt(n) / prod_m (1 - w^m) with
        w = exp(-2 pi i / n) and m = -d .. 2s - d without 0."""
        return _weights(self.n, self.s)

    @property
    def conditioning(self) -> float:
        """max|W|: by how much rounding of a gradient is amplified in a row."""
        return max(map(abs, self.weights))

    @property
    def tolerance(self) -> float:
        """How far, as a part of the largest row's norm, rows may be from consistent and count as rounded.

        Of gradients that are alike, a row is sqrt(n) times one, of terms that sum to sum|W| times one.
        """
        cancelled = sum(map(abs, self.weights)) / math.sqrt(self.n)
        # The reals of complex64 are float32. Sums over d in the projection round too, hence 64 in float64.
        rounding = 8.0 * torch.finfo(torch.float32).eps if self.rows_dtype == torch.complex64 else EXACT
        return rounding + 8.0 * _DOUBLE * cancelled

    @property
    def resolution(self) -> float:
        """The least error along u, as a part of the largest row's norm, for which a worker is named.

        A smaller one is kept out of the sum all the same, or is within `tolerance`. At (45, 5) it is 0.035,
        so that a few adversaries in a hundred stay unnamed by chance; at (15, 3) it is below 1e-10.

        Adversaries that stay within `tolerance` on n - 2s honest rows can move the codeword elsewhere by
        the Lebesgue constant of n - 2s neighbouring roots of unity, and must not frame who sits there.
        """
        return 2.0 * self.tolerance * _extrapolation(self.n, self.s)

    def encode(self, worker: int, gradients: Rows) -> Tensor:
        """Return the row that `worker` sends, shape (d,), of `rows_dtype`, on the gradients' device.

        `gradients`: `all_n[code.assignment[worker]]`, i.e. its 2s + 1, ascending by index, of the code's
        dtype. Computed in complex128. Raises ConfigurationError if they or the worker are wrong.
        """
        check_worker(worker, self.n)
        gradients_RD = as_rows(gradients, "gradients", self.redundancy, (self.dtype,)).to(torch.float64)
        indices = sorted((worker + d) % self.n for d in range(self.redundancy))
        weights = self.weights
        w_R = torch.tensor([weights[(k - worker) % self.n] for k in indices], dtype=torch.complex128)
        parts = [part.to(gradients_RD.device) @ gradients_RD for part in (w_R.real, w_R.imag)]
        return torch.complex(*parts).to(self.rows_dtype)

    def decode(self, rows: Rows, seed: bytes = b"draco") -> Decoded:
        """Return the sum of all n gradients, shape (d,), of the code's dtype, and the adversarial workers.

        `rows`: (n, d), or n of (d,), of `rows_dtype`. A row with NaN or Inf is adversarial: give one for a
        row that did not come. The `seed` makes the random vector u that rows are projected on. Adversaries
        that know u can send an error orthogonal to it, which no projection shows: against them give a fresh
        seed, of entropy drawn or agreed on after all rows arrived. The default is fixed, for adversaries that
        do not know that it is used.

        Deviations from Chen et al.: not the rows with |P| under a threshold are dropped but the s
        smallest (a threshold is wrong for any fixed n, s and scale); the n - s kept must be consistent,
        else further sets are tried (`locator`), and a worker is named only for an error above `resolution`.

        Raises Undecodable when no n - s rows are consistent: more than s adversaries, who if they collude
        may also have a wrong sum accepted. ConfigurationError for wrong rows. Rows are judged relative
        to the largest kept, so gradients that all but cancel in every row may be refused as Undecodable.
        """
        rows_ND = as_rows(rows, "rows", self.n, (self.rows_dtype,))
        basis_NK = code_basis(self.n, self.s)
        e_N, norms_N = project(rows_ND, seed)
        kept = consistent_rows(e_N, norms_N, basis_NK, self.s, self.tolerance)
        if kept is None:
            raise Undecodable(
                f"no {self.n - self.s} of the {self.n} rows are consistent: more than s = {self.s} workers"
                " are adversarial, so leave this step out or raise s"
            )
        codeword_N, _ = fit(e_N, basis_NK, kept)
        apart_N = (e_N - codeword_N).abs()
        # Written so that NaN is adversarial.
        fine_N = apart_N <= self.resolution * norms_N[kept].max()
        adversarial = tuple(i for i in range(self.n) if i not in kept and not bool(fine_N[i]))
        return Decoded(self._combined(rows_ND, basis_NK, kept), adversarial)

    def _combined(self, rows_ND: Tensor, basis_NK: Tensor, kept: list[int]) -> Tensor:
        """Re(b^T R) over the kept rows, with the shortest b of C1^T b = e_1: then b^T W is all ones."""
        q_MK, r_KK = torch.linalg.qr(basis_NK[kept])
        first_K1 = torch.zeros(basis_NK.shape[1], 1, dtype=torch.complex128)
        first_K1[0] = 1.0
        solved_K1 = torch.linalg.solve_triangular(r_KK.mT, first_K1, upper=False)
        b_M = (q_MK.conj() @ solved_K1).flatten().to(rows_ND.device)
        sum_D = torch.empty(rows_ND.shape[1], dtype=self.dtype, device=rows_ND.device)
        for columns, chunk_NC in chunks(rows_ND):
            sum_D[columns] = (b_M @ chunk_NC[kept]).real.to(self.dtype)
        return sum_D


@lru_cache(maxsize=64)
def _weights(n: int, s: int) -> tuple[complex, ...]:
    factor = {m: 1 - cmath.exp(-2j * math.pi * m / n) for m in range(-2 * s, 2 * s + 1)}
    products = (
        math.prod((factor[m] for m in range(-d, 2 * s - d + 1) if m), start=1.0 + 0j)
        for d in range(2 * s + 1)
    )
    return tuple(math.sqrt(n) / product if product else complex(math.inf) for product in products)


@lru_cache(maxsize=64)
def _extrapolation(n: int, s: int) -> float:
    """max over the other rows of sum_j |l_j|, l_j Lagrange's basis on n - 2s neighbouring roots of unity."""
    known = n - 2 * s
    log_chord = [0.0, *(math.log(2.0 * math.sin(math.pi * m / n)) for m in range(1, n))]
    # total[m]: the chords 1 .. m, multiplied; chord m and chord n - m are the same.
    total = list(accumulate(log_chord))

    def at(row: int) -> float:
        above = total[row] - total[row - known]
        logs = (above - log_chord[row - j] - total[j] - total[known - 1 - j] for j in range(known))
        return sum(math.exp(min(700.0, log)) for log in logs)

    return max((at(row) for row in range(known, n)), default=1.0)
