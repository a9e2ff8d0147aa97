"""DRACO's repetition code: groups of 2s + 1 workers compute the same, the majority is right."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from btard.aggregators.rows import Rows, as_rows
from btard.coding.decoded import Decoded, Undecodable, check_size, check_worker
from btard.errors import ConfigurationError

_BITS = {torch.float32: torch.int32, torch.float64: torch.int64}


@dataclass(frozen=True, slots=True)
class RepetitionCode:
    """Groups of r = 2s + 1 consecutive workers, each of which sums the group's r gradients.

    `n` is divisible by r. With `tolerance` = 0 workers agree when their rows are the same bits, which
    needs equal hardware and software; with 0 < `tolerance` < 1 when they are apart by at most
    `tolerance` times the larger norm, and then each group's sum is within that of an honest worker's.

    Corrects s adversaries in every group, so up to s n / r altogether if they are spread. Source: Chen
    et al. 2018, the fractional repetition code and its majority vote decoder. Deviations: s + 1 rows must
    agree, so that more adversaries are noticed as long as they do not collude; the tolerance is ours.

    Raises ConfigurationError for sizes or a tolerance that cannot be.
    """

    n: int
    s: int
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        check_size(self.n, self.s)
        if self.n % self.redundancy:
            raise ConfigurationError(
                f"n is {self.n}: give a multiple of {self.redundancy}, as workers form groups of 2s + 1"
            )
        if not 0.0 <= self.tolerance < 1.0:
            raise ConfigurationError(f"tolerance = {self.tolerance}: give a relative one, 0 <= tolerance < 1")

    @property
    def redundancy(self) -> int:
        """How many gradients each worker computes: 2s + 1."""
        return 2 * self.s + 1

    @property
    def assignment(self) -> Tensor:
        """(n, n) bool: row i marks the gradients that worker i computes."""
        group = torch.arange(self.n) // self.redundancy
        return group[:, None] == group[None, :]

    def encode(self, worker: int, gradients: Rows) -> Tensor:
        """Return the row that `worker` sends, shape (d,): the sum of its gradients, in their dtype.

        `gradients`: `all_n[code.assignment[worker]]`, i.e. its 2s + 1, ascending by index, float32 or
        float64. Raises ConfigurationError if they or the worker are wrong.
        """
        check_worker(worker, self.n)
        return as_rows(gradients, "gradients", self.redundancy, tuple(_BITS)).sum(0)

    def decode(self, rows: Rows) -> Decoded:
        """Return the sum of all n gradients, of the rows' dtype, and the workers outvoted in their groups.

        `rows`: (n, d), or n of (d,), float32 or float64. A row with NaN or Inf is adversarial. With a
        tolerance an honest worker is never named, as long as honest rows are within it of each other.
        Raises Undecodable when a group has no s + 1 that agree, ConfigurationError for wrong rows.
        """
        rows_ND = as_rows(rows, "rows", self.n, tuple(_BITS))
        total_D = torch.zeros_like(rows_ND[0])
        adversarial: list[int] = []
        for first in range(0, self.n, self.redundancy):
            group_RD = rows_ND[first : first + self.redundancy]
            chosen, outvoted = self._majority(group_RD, first)
            total_D += group_RD[chosen]
            adversarial += [first + i for i in outvoted]
        return Decoded(total_D, tuple(adversarial))

    def _majority(self, group_RD: Tensor, first: int) -> tuple[int, list[int]]:
        """Return the lowest row with which s + 1 agree, itself included, and the rows with which fewer do."""
        finite = [i for i in range(self.redundancy) if bool(group_RD[i].isfinite().all())]
        # At least one of any s + 1 finite rows is honest, if the group is.
        for chosen in finite[: self.s + 1]:
            members = self._agreeing(group_RD, chosen, finite)
            if len(members) > self.s:
                # Agreement within a tolerance is not transitive: a row far from `chosen` may have a majority.
                others = [i for i in range(self.redundancy) if i not in members]
                return chosen, [
                    i for i in others if i not in finite or len(self._agreeing(group_RD, i, finite)) <= self.s
                ]
        raise Undecodable(
            f"workers {first} to {first + self.redundancy - 1} have no {self.s + 1} equal rows: more than s ="
            f" {self.s} of them are adversarial, or their hardware differs and needs a tolerance"
        )

    def _agreeing(self, group_RD: Tensor, i: int, finite: list[int]) -> list[int]:
        if self.tolerance == 0.0:
            bits_RD = group_RD.view(_BITS[group_RD.dtype])
            return [j for j in finite if torch.equal(bits_RD[i], bits_RD[j])]
        return [j for j in finite if self._near(group_RD[i], group_RD[j])]

    def _near(self, x_D: Tensor, y_D: Tensor) -> bool:
        x, y, apart = (torch.linalg.vector_norm(v, dtype=torch.float64) for v in (x_D, y_D, x_D - y_D))
        return bool(apart <= self.tolerance * torch.maximum(x, y))
