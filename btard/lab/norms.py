"""How long honest gradients are about their aggregate: what tau and Delta_max have to fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from btard.aggregators import CenteredClip, Mean
from btard.codec import FP32
from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.parts import windows
from btard.training import BlobStore, Engine, Recipe

SEED = digest("measured model")
PEERS_MAX = 64

DELTA_MAX_FACTOR = 3.0
"""Delta_max in units of the greatest usual norm of a part: false alarms cost transfers, no seat."""

Progress = Callable[[int, int], None]
"""Called with steps done and all."""


@dataclass(frozen=True, slots=True)
class StepNorms:
    """|g_i - v| of one step: `whole` of the peers' whole gradients, ascending; `shortest` and `longest` are
    the median over the peers of the parts in which it is least and greatest, times sqrt(parts), so that they
    compare with whole ones. `gradient` is the median of |g_i|."""

    step: int
    gradient: float
    whole: tuple[float, ...]
    shortest: float
    longest: float

    @property
    def unevenness(self) -> float:
        """By how much the longest part is longer than the shortest."""
        return self.longest / self.shortest if self.shortest > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Norms:
    """The norms of a training, and what they suggest."""

    peers: int
    steps: tuple[StepNorms, ...]

    def stages(self, count: int) -> tuple[tuple[StepNorms, ...], ...]:
        """Return the steps in at most `count` successive groups of about one size."""
        edges = [len(self.steps) * k // count for k in range(count + 1)]
        groups = (self.steps[a:b] for a, b in pairwise(edges))
        return tuple(group for group in groups if group)

    @property
    def tau(self) -> float:
        """The median of |g_i - v| over all peers and steps, in two digits: half of honest rows are longer.

        A row pulls an aggregate by tau at most, so a cheat then pulls no harder than a usual honest row, and
        the unclipped half keeps the aggregate near the mean. A smaller tau bounds cheats more, and tends to
        the geometric median; the analyses of CenteredClip (Karimireddy et al. 2021; Gorbunov et al. 2022)
        choose several times as much, so that the honest are hardly clipped."""
        return _round(float(np.median([norm for step in self.steps for norm in step.whole])))

    @property
    def delta_max(self) -> float:
        """DELTA_MAX_FACTOR times the greatest median of a part, in units of the whole; two digits of it."""
        return _round(DELTA_MAX_FACTOR * max(step.longest for step in self.steps))


def measure(
    recipe: Recipe,
    peers: int,
    steps: int,
    tau: float | None = None,
    device: str = "cpu",
    progress: Progress = lambda done, of: None,
) -> Norms:
    """Train `steps` steps with `peers` honest peers, one part each, and measure |g_i - v| in each.

    v is the mean, or CenteredClip with a `tau` of the whole gradient if it is given. Raises
    ConfigurationError for impossible numbers, or if the data are missing.
    """
    if not 2 <= peers <= PEERS_MAX:
        raise ConfigurationError(f"peers is {peers}: use 2 to {PEERS_MAX}")
    if steps < 1:
        raise ConfigurationError(f"steps is {steps}: use at least 1")
    rule = Mean() if tau is None else CenteredClip(tau=tau / math.sqrt(peers))
    engine = Engine(recipe, BlobStore(capacity_bytes=1), SEED, device)
    spans = windows(engine.dimension, peers)
    found = []
    for step in range(steps):
        seeds = [digest("measured norm", bytes([peer]), step.to_bytes(8, "little")) for peer in range(peers)]
        rows = torch.stack([engine.compute_gradient(step, seed) for seed in seeds])
        aggregate = torch.cat([rule(rows[:, start : start + size]) for start, size in spans])
        squares = torch.stack(
            [
                (rows[:, start : start + size] - aggregate[start : start + size]).double().square().sum(1)
                for start, size in spans
            ]
        )
        medians = (squares.median(1).values * peers).sqrt()
        found.append(
            StepNorms(
                step,
                float(np.median([float(row.double().norm()) for row in rows])),
                tuple(squares.sum(0).sqrt().sort().values.tolist()),
                float(medians.min()),
                float(medians.max()),
            )
        )
        engine.update(step, (engine.store.put(FP32.encode(aggregate)),))
        engine.adopt(step)
        progress(step + 1, steps)
    return Norms(peers, tuple(found))


def _round(value: float) -> float:
    """Round to two digits; 0 is no radius, and becomes the smallest that a run takes."""
    return float(f"{value:.2g}") if value > 0 else 1e-18
