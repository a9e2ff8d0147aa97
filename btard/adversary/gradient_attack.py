"""Peers that commit to the forged gradient of an attack: blobs, digests and published scalars agree on it.

Such a peer is consistent with the bytes that it committed to. Only a validator that recomputes the gradient
finds it; until then CenteredClip bounds what the forgery moves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from btard.adversary.base import Adversary
from btard.adversary.knowledge import own_gradient, put
from btard.adversary.labels import FlippedLabels, LabelRule
from btard.aggregators import CenteredClip
from btard.attacks import Attack, AttackContext
from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.machine import ComputeGradient, Effect, Perform, Project, ProjectRows
from btard.parts import windows
from btard.protocol.state import RosterState, gradient_seed
from btard.training import Engine
from btard.types import Digest


@dataclass(kw_only=True, eq=False)
class GradientAdversary(Adversary):
    """Sends what `attack` makes in place of its gradient. If a validator asks it, as a target, for the
    fingerprint of its gradient, it answers honestly: that is not tied to what was aggregated, but the scalars
    that it published are."""

    reasons: ClassVar[frozenset[str]] = frozenset({"false gradient"})

    spares_own_part: ClassVar[bool] = False
    """Whether the part that it aggregates itself stays honest."""

    labels: LabelRule = field(init=False, default="mirror")
    """Which wrong labels an attack gets that asks for them."""

    attack: Attack
    _forged: dict[int, Tensor] = field(init=False, default_factory=dict, repr=False)
    _parts: dict[int, tuple[Digest, ...]] = field(init=False, default_factory=dict, repr=False)
    _past: dict[int, Tensor] = field(init=False, default_factory=dict, repr=False)

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        if isinstance(effect, ComputeGradient):
            return self._compute(effect, honest, engine)
        if isinstance(effect, Project):
            return self._project(effect, honest)
        return honest(effect)

    def _compute(self, effect: ComputeGradient, honest: Perform, engine: Engine) -> Any:
        step = effect.step
        state = self.seating.state
        look_back = self.attack.look_back
        if look_back:
            self._past[step] = own_gradient(engine, step, effect.seed)
            self._past = {t: g for t, g in self._past.items() if t >= step - look_back}
        if not self.active(step) or state.step != step:
            self._parts.pop(step, None)
            return honest(effect)
        if step not in self._forged:
            self._forged = {step: self.attack(self._context(effect, state, engine))}
        vector = self._forged[step]
        spans = windows(engine.dimension, effect.parts)
        if self.spares_own_part and self.part is not None:
            start, size = spans[self.part]
            vector = vector.clone()
            vector[start : start + size] = own_gradient(engine, step, effect.seed)[start : start + size]
        parts = tuple(put(engine, vector[start : start + size]) for start, size in spans)
        self._parts = {step: parts}
        return parts

    def _project(self, effect: Project, honest: Perform) -> Any:
        """Return the scalars of the forged parts: those that aggregators find in the bytes that they hold."""
        parts = self._parts.get(effect.step, ())
        if len(parts) != len(effect.aggregates):
            return honest(effect)
        found = [
            honest(ProjectRows(j, len(parts), (row,), effect.aggregates[j], effect.coin, effect.tau))[0]
            for j, row in enumerate(parts)
        ]
        return honest(effect) if None in found else tuple(found)

    def _context(self, effect: ComputeGradient, state: RosterState, engine: Engine) -> AttackContext:
        step = effect.step
        peers = state.participants
        others = [peer for peer in peers if peer not in self.colluders]

        @cache
        def honest_gradients() -> Tensor:
            # Past the engine's memory: the gradients of others must not push out its own.
            seeds = [gradient_seed(state.coin, peer) for peer in others]
            return torch.stack([engine.compute_gradient(step, seed) for seed in seeds])

        def aggregate(forged: Tensor) -> Tensor:
            """Return what the Butterfly makes of it: CenteredClip of each part, rows in seat order."""
            honest = iter(honest_gradients())
            rows = torch.stack([forged if peer in self.colluders else next(honest) for peer in peers])
            rule = CenteredClip(tau=state.config.part_tau(effect.parts))
            spans = windows(engine.dimension, effect.parts)
            return torch.cat([rule(rows[:, start : start + size]) for start, size in spans])

        def relabelled() -> Tensor:
            with FlippedLabels(self.labels) as labels:
                gradient = engine.compute_gradient(step, effect.seed)
            if not labels.flipped:
                raise ConfigurationError(
                    "label_flip needs a task whose loss is torch's cross_entropy or nll_loss of class "
                    "labels: choose another adversary for this task"
                )
            return gradient

        def past(steps: int) -> Tensor:
            return self._past[max(step - steps, min(self._past))]

        return AttackContext(
            own=own_gradient(engine, step, effect.seed),
            step=step,
            seed=digest("collusion", state.run, *self.colluders),
            peers=len(peers),
            byzantine=len(peers) - len(others),
            honest=honest_gradients,
            relabelled=relabelled,
            past=past,
            aggregate=aggregate,
        )


@dataclass(kw_only=True, eq=False)
class InvalidGradient(GradientAdversary):
    """Sends a vector that is not finite. The part that it aggregates itself stays honest, because its own
    machine would report that one as missing."""

    reasons: ClassVar[frozenset[str]] = frozenset({"withheld part", "unreachable"})

    spares_own_part: ClassVar[bool] = True


@dataclass(kw_only=True, eq=False)
class FlippedGradient(GradientAdversary):
    """Sends its gradient on wrong labels: `mirror`, C - 1 - y, or `next`, (y + 1) mod C."""

    labels: LabelRule = "mirror"
