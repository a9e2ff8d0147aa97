"""Colluders that shift their parts together, of whom one at a time hides it and dodges its validator."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from btard.adversary.base import Adversary
from btard.adversary.knowledge import held, put
from btard.errors import ConfigurationError
from btard.machine import Aggregate, Aggregated, Effect, Perform, Project, ProjectRows
from btard.parts import windows
from btard.protocol.messages import ACCUSE, GRADIENT
from btard.protocol.state import gradient_seed
from btard.training import Engine
from btard.types import Digest, PeerId, Scalars

PROJECTION_MAX = 9.0
"""In units of what is measured: a longer balance is malformed."""


@dataclass(kw_only=True, eq=False)
class Dodge(Adversary):
    """Shifts its part against the honest mean, as far as one balance can hide: the sum of clipped
    differences gets as long as `strength` times a usual one. The balancer, the first colluder without a
    missed step in the window, publishes the projections that make all these sums zero, and falls silent in
    the next GRADIENT if an honest validator drew it; then another one balances. Once all have missed a step
    they stay honest until the window has passed. They accuse none of themselves."""

    reasons: ClassVar[frozenset[str]] = frozenset(
        {
            "silent in phase gradient",
            "false gradient",
            "false scalars",
            "wrong aggregate",
            "malformed message",
        }
    )

    strength: float = 0.5
    _lied: int = field(init=False, default=-1, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.strength <= 5:
            raise ConfigurationError(f"strength of dodge is {self.strength}: use more than 0, and at most 5")

    @property
    def balancer(self) -> PeerId | None:
        """The colluder that lies in this step; None if all stay honest."""
        state = self.seating.state
        missed = {peer for peer, _ in state.strikes}
        ready = [peer for peer in self.colluders if peer in state.participants and peer not in missed]
        return ready[0] if ready else None

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        result = honest(effect)
        if not self.is_attacking or self.balancer is None:
            return result
        if isinstance(effect, Aggregate) and result.aggregate is not None:
            return self._shifted(effect, result, engine)
        if (
            isinstance(effect, Project)
            and self.balancer == self.me
            and effect.step == self.seating.state.step
        ):
            self._lied = effect.step
            return self._balanced(effect, result, honest, engine)
        return result

    def speak(self, phase: str, payload: Any) -> Any:
        state = self.seating.state
        if phase == GRADIENT and self._lied == state.step - 1 and self.is_attacking:
            drawn = any(t == self.me and v not in self.colluders for v, t in state.pairs)
            return None if drawn else payload
        if phase == ACCUSE and self.is_attacking:
            peers = self.seating.participants
            kept = tuple(a for a in payload.accusations if peers[a.target] not in self.colluders)
            return replace(payload, accusations=kept)
        return payload

    def _shifted(self, effect: Aggregate, result: Aggregated, engine: Engine) -> Aggregated:
        peers = self.seating.participants
        rows = [held(engine, name) for name in effect.rows]
        centre = held(engine, result.aggregate) if result.aggregate is not None else None
        if centre is None or len(rows) != len(peers) or any(row is None for row in rows):
            return result
        known = [row for row in rows if row is not None]
        mean = torch.stack([r for r, p in zip(known, peers, strict=True) if p not in self.colluders]).mean(0)
        if not float(mean.norm()):
            return result
        # A balance is bounded by the length of the row that it stands for.
        usual = float(torch.stack([(row - centre).norm() for row in known]).median())
        most = self.strength * min(effect.tau, usual)
        direction, low = -mean / mean.norm(), 0.0
        high = self.seating.state.config.part_delta_max(len(self.seating.aggregators))
        for _ in range(30):
            middle = (low + high) / 2
            pull = _pull(known, centre + middle * direction, effect.tau)
            low, high = (middle, high) if pull <= most else (low, middle)
        return Aggregated(put(engine, centre + low * direction))

    def _balanced(self, effect: Project, result: Any, honest: Perform, engine: Engine) -> Any:
        """Return scalars whose sums with those of all others are zero in the parts of colluders; seeds are
        public, so it knows the rows of parts that it does not hold."""
        state = self.seating.state
        parts = len(effect.aggregates)
        theirs = [part for part, peer in enumerate(state.aggregators) if peer in self.colluders]
        if parts != len(state.aggregators) or self.seat is None:
            return result
        others = [peer for peer in state.participants if peer != self.me]
        gradients = [engine.compute_gradient(effect.step, gradient_seed(state.coin, p)) for p in others]
        scalars = list(result)
        for part, (start, size) in enumerate(windows(engine.dimension, parts)):
            if part not in theirs:
                continue
            rows = tuple(put(engine, gradient[start : start + size]) for gradient in gradients)
            aggregate = Digest(effect.aggregates[part])
            true = honest(ProjectRows(part, parts, rows, aggregate, effect.coin, effect.tau))
            if None not in true:
                scalars[part] = _balance(scalars[part], true, effect.tau)
        return tuple(scalars)


def _pull(rows: list[Tensor], centre: Tensor, tau: float) -> float:
    """Return the length of the sum of clipped differences: 0 at the fixed point."""
    differences = torch.stack(rows) - centre
    norms = differences.norm(dim=1, keepdim=True).clamp_min(1e-30)
    return float((differences * (tau / norms).clamp_max(1.0)).sum(0).norm())


def _balance(own: Scalars, others: tuple[Scalars, ...], tau: float) -> Scalars:
    most = PROJECTION_MAX * min(own.norm, tau)
    sums = (sum(column) for column in zip(*(each.projections for each in others), strict=True))
    return replace(own, projections=tuple(max(-most, min(most, -total)) for total in sums))
