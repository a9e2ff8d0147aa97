"""Plan a run: the task suggests all that is not given."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from btard.errors import ConfigurationError
from btard.protocol.constants import ProtocolConfig
from btard.protocol.detection import default_validators, steps_to_catch
from btard.run.admission import Admission
from btard.run.config import RunPlan
from btard.training.registry import load_recipe
from btard.training.tolerances import tolerance

DELTA_S = 10.0
"""Seconds that a small message between two honest peers may take, anywhere in the world and sent again.
Safety rests on it, and only disputes wait for it."""


def plan_run(
    task: str,
    *,
    peers: int,
    options: Mapping[str, str] = MappingProxyType({}),
    byzantine: int = 0,
    attack_start: int = 0,
    steps: int | None = None,
    validators: int | None = None,
    tau: float | None = None,
    epsilon: float | None = None,
    clip: float | None = None,
    seed: int = 0,
    delta_s: float = DELTA_S,
    admission: Admission | None = None,
) -> RunPlan:
    """Return a plan in which the task suggests all that is not given: steps (more if it takes more to catch
    `byzantine` attackers with probability 0.999), tau, Delta_max, and the tolerance profile, which gives
    epsilon and the least number of directions. `options` are the task's. A quarter of the peers are
    validators. `delta_s` is that of `ProtocolConfig`. Raises ConfigurationError for impossible values."""
    recipe = load_recipe(task, options=options, steps=steps)
    profile = tolerance(recipe.tolerance)
    if peers < 2:
        raise ConfigurationError(f"peers is {peers}: use at least 2")
    drawn = default_validators(peers) if validators is None else validators
    if not 0 <= drawn <= peers // 2:
        raise ConfigurationError(
            f"validators is {drawn} for {peers} peers: pairs are disjoint, use at most {peers // 2}"
        )
    needed = attack_start + steps_to_catch(peers, byzantine, drawn) if drawn else 0
    protocol = ProtocolConfig(
        tau=recipe.tau if tau is None else tau,
        delta_max=recipe.delta_max,
        validators=drawn,
        directions=max(recipe.projections, profile.directions),
        epsilon=profile.epsilon if epsilon is None else epsilon,
        delta_s=delta_s,
    )
    return RunPlan.create(
        task,
        options=options,
        steps=max(recipe.steps, needed) if steps is None else steps,
        peers=peers,
        seed=seed,
        clip=clip,
        protocol=protocol,
        admission=admission,
    )
