"""The training samples of each worker: "iid", "dirichlet(alpha=0.1)" or "labels(count=2)".

A partition gives every worker, the Byzantine ones included, at least one sample and no sample to two workers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btard.errors import ConfigurationError
from btard.terms import make, parse_term

Indices = NDArray[np.int64]


class Partition(ABC):
    """A way to spread samples over workers by their labels."""

    __slots__ = ()

    def split(self, labels: Indices, workers: int, seed: int) -> tuple[Indices, ...]:
        """Return the indices of each worker's samples, ascending, of `labels` (N,); a function of `seed`.

        Raises ConfigurationError if a worker would have none.
        """
        if len(labels) < workers:
            raise ConfigurationError(
                f"{len(labels)} training samples are too few for {workers} workers: give fewer workers"
            )
        held = tuple(np.sort(own) for own in self._split(labels, workers, np.random.default_rng(seed)))
        if not all(map(len, held)):
            raise ConfigurationError(
                f"{self} leaves a worker without samples: give fewer workers, or more labels to each"
            )
        return held

    @abstractmethod
    def _split(self, labels: Indices, workers: int, dice: np.random.Generator) -> list[Indices]:
        """Return each worker's indices in any order; N >= workers."""


@dataclass(frozen=True, slots=True)
class Iid(Partition):
    """Every worker holds a random share of all samples, the shares equal up to one sample."""

    def _split(self, labels: Indices, workers: int, dice: np.random.Generator) -> list[Indices]:
        return np.array_split(dice.permutation(len(labels)), workers)


@dataclass(frozen=True, slots=True)
class Dirichlet(Partition):
    """Label proportions of each worker from Dirichlet(alpha p), p those of all samples (Hsu et al. 2019).

    Shares are equal up to one sample, and every sample is held. A small `alpha` gives most workers one or
    two labels, a large one approaches iid. A label that is used up is not drawn again, and the other
    proportions are rescaled, as in the authors' code. Workers draw in random order, so that no place in the
    roster (the Byzantine workers are the last) is more likely to get the rest.
    """

    alpha: float = 0.5

    def __post_init__(self) -> None:
        if not (self.alpha > 0 and math.isfinite(self.alpha)):
            raise ConfigurationError(f"alpha is {self.alpha}: give a finite one above 0")

    def _split(self, labels: Indices, workers: int, dice: np.random.Generator) -> list[Indices]:
        stock = [dice.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
        left = np.array([len(pile) for pile in stock])
        concentration = self.alpha * left / len(labels)
        sizes = [len(share) for share in np.array_split(labels, workers)]
        held = [np.empty(0, np.int64)] * workers
        for worker in dice.permutation(workers):
            drawn = _draw(dice.dirichlet(concentration), left, sizes[worker], dice)
            held[worker] = np.concatenate(
                [pile[rest - taken : rest] for pile, rest, taken in zip(stock, left, drawn, strict=True)]
            )
            left = left - drawn
        return held


def _draw(proportions: NDArray[np.float64], left: Indices, size: int, dice: np.random.Generator) -> Indices:
    """Return how many samples of each label are drawn: `size` in all, of each at most what is `left`."""
    drawn = np.zeros_like(left)
    while (missing := size - int(drawn.sum())) > 0:
        open_to_draw = np.where(drawn < left, proportions, 0.0)
        # With a tiny alpha all proportions but one are 0: then the rest decides.
        weights = open_to_draw if open_to_draw.sum() > 0 else (left - drawn).astype(np.float64)
        drawn = np.minimum(drawn + dice.multinomial(missing, weights / weights.sum()), left)
    return drawn


@dataclass(frozen=True, slots=True)
class Labels(Partition):
    """Every worker holds samples of `count` labels only (McMahan et al. 2017, section 3, in spirit).

    Each worker in random order takes the `count` labels that the fewest others have, ties at random; a
    label's samples are spread equally over its holders. If workers * count is below the number of labels,
    some have no holder. Deviation: the paper spreads shards of sorted samples, which may straddle labels.
    """

    count: int = 2

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigurationError(f"count is {self.count}: give at least 1")

    def _split(self, labels: Indices, workers: int, dice: np.random.Generator) -> list[Indices]:
        present = np.unique(labels)
        if self.count > len(present):
            raise ConfigurationError(
                f"count is {self.count}, and there are only {len(present)} labels: give no more"
            )
        holders: list[list[int]] = [[] for _ in present]
        for worker in dice.permutation(workers):
            ties = dice.random(len(present))
            fewest = sorted(range(len(present)), key=lambda label: (len(holders[label]), ties[label]))
            for label in fewest[: self.count]:
                holders[label].append(int(worker))
        held: list[list[Indices]] = [[] for _ in range(workers)]
        for label, owners in zip(present, holders, strict=True):
            if owners:
                samples = dice.permutation(np.flatnonzero(labels == label))
                for owner, share in zip(owners, np.array_split(samples, len(owners)), strict=True):
                    held[owner].append(share)
        return [np.concatenate(shares) for shares in held]


PARTITIONS: Mapping[str, type[Partition]] = {"iid": Iid, "dirichlet": Dirichlet, "labels": Labels}


def parse_partition(text: str) -> Partition:
    """Return the partition that `text` names. Raises ConfigurationError for unknown names and arguments."""
    return make(parse_term(text), PARTITIONS, "a partition of the data")
