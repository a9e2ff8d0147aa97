"""Profiles of tolerances: honest gradients on unlike machines are within theirs, forged ones are not.

A machine is a process whose libraries use other instructions. It says the scalars that a validator forms of
gradients of public seeds; the aggregates are the same bytes everywhere, as in a run.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache, partial
from itertools import permutations
from typing import Any

import pytest
import torch

from benchmarks.networks import Drawn, Transformer
from btard.errors import ConfigurationError
from btard.machine import Recomputed
from btard.protocol.constants import EPSILON_MAX, EPSILON_MIN, ProtocolConfig
from btard.protocol.messages import PartScalars
from btard.protocol.tolerance import ACCUSE_FACTOR
from btard.protocol.verification import gradient_is_false
from btard.run.plan import plan_run
from btard.training import Recipe
from btard.training.tasks.digits import digits
from btard.training.tolerances import MARGIN, TOLERANCES, fitting, tolerance
from btard.training.vector import flatten
from btard.types import Scalars
from tests.training.machines import machines

SCRIPT = """
import json, math, sys
from dataclasses import replace
from functools import partial
import torch
from benchmarks.networks import Drawn, Transformer
from btard.codec import FP32
from btard.parts import windows
from btard.training import SGD, BlobStore, Engine, Recipe
from btard.training.sampling import normal
from btard.training.tolerances import TOLERANCES
torch.set_num_threads(int(sys.argv[1]))
PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}
found = {}
for name, profile in TOLERANCES.items():
    network = partial(Transformer, "relu" if name == "kinked" else "gelu", 0.0, width=64, layers=2)
    task = Drawn(name, network, PRECISIONS.get(name))
    recipe = Recipe(task, batch_size=1, optimizer=SGD(learning_rate=0.1), projections=profile.directions)
    engine = Engine(recipe, BlobStore(1 << 30), bytes(32))
    seeds = [bytes([k]) * 32 for k in range(3)]
    gradients = {seed: engine.compute_gradient(0, seed) for seed in seeds}
    length = float(gradients[seeds[0]].norm())
    length = 2.0 ** round(math.log2(length))  # the same on all machines
    centre = normal(bytes(32), "centre", engine.dimension, 0.5 * length / engine.dimension**0.5)
    names = tuple(engine.store.put(FP32.encode(centre[a : a + size])) for a, size in windows(len(centre), 8))
    coin, tau = bytes(range(32)), length / 8**0.5

    def scalars(seed):
        found, norm = engine.recompute(0, seed, names, coin, tau)
        return [[s.projections, s.norm, s.center, s.row] for s in found], norm

    found[name] = {"tau": length}
    for kind, forge in (("owed", torch.clone), ("flipped", torch.neg), ("zero", torch.zeros_like)):
        engine._gradients.clear()
        engine.compute_gradient = lambda step, seed: forge(gradients[seed])
        found[name][kind] = [scalars(seed) for seed in seeds]
print(json.dumps(found))
"""


@cache
def computed(index: int) -> dict[str, dict[str, Any]]:
    """What machine `index` computes; the last one is this machine as it is."""
    threads, settings = [*machines(), (1, {})][index]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(threads)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, Any]] = json.loads(result.stdout)
    return found


def said(entry: Any) -> list[PartScalars]:
    """What a peer publishes that computed this."""
    return [PartScalars(tuple(projections), *norms) for projections, *norms in entry[0]]


def recomputed(entry: Any) -> Recomputed:
    """What a validator computes."""
    return Recomputed(tuple(Scalars(tuple(p), *norms) for p, *norms in entry[0]), entry[1])


def config(profile: str, tau: float) -> ProtocolConfig:
    own = tolerance(profile)
    return ProtocolConfig(tau=tau, epsilon=own.epsilon, directions=own.directions)


@pytest.mark.parametrize("profile", TOLERANCES)
def test_no_honest_peer_convicts_another_on_unlike_hardware(profile: str) -> None:
    everybody = [computed(index)[profile] for index in range(len(machines()) + 1)]
    for mine, theirs in permutations(everybody, 2):
        run = config(profile, mine["tau"])
        assert mine["tau"] == theirs["tau"]
        for owed, published in zip(mine["owed"], theirs["owed"], strict=True):
            assert not gradient_is_false(said(published), recomputed(owed), run)


@pytest.mark.parametrize("profile", TOLERANCES)
@pytest.mark.parametrize("kind", ["flipped", "zero", "of another batch"])
def test_every_validator_accuses_of_a_gradient_that_is_something_else(profile: str, kind: str) -> None:
    target, validator = computed(len(machines()))[profile], computed(1)[profile]
    run = config(profile, target["tau"])
    forged = target[kind] if kind in target else [*target["owed"][1:], target["owed"][0]]
    for owed, published in zip(validator["owed"], forged, strict=True):
        assert gradient_is_false(said(published), recomputed(owed), run, ACCUSE_FACTOR)


def test_unlike_machines_do_differ_in_low_precision() -> None:
    """Else the test of honest peers says nothing."""
    mine, theirs = (computed(index)["bf16"]["owed"] for index in (1, len(machines())))
    off = [
        math.dist(one[0], other[0])
        for k in range(3)
        for one, other in zip(mine[k][0], theirs[k][0], strict=True)
    ]
    norm = min(entry[1] for entry in mine)
    unlike = torch.backends.cpu.get_cpu_capability() != "DEFAULT"
    assert not unlike or max(off) > 1e-4 * norm


@pytest.mark.parametrize(("profile", "precision"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_low_precision_is_so_near_to_float32_that_any_two_kernels_are_within_the_profile(
    profile: str, precision: torch.dtype
) -> None:
    network = partial(Transformer, "gelu", 0.0, width=64, layers=6)
    exact, rounded = (Drawn("any", network, each) for each in (None, precision))
    models = [task.build(bytes(32)) for task in (exact, rounded)]
    for k in range(3):
        gradients = [
            flatten(torch.autograd.grad(task.loss(model, bytes([k]) * 32, 2), list(model.parameters())))
            for task, model in zip((exact, rounded), models, strict=True)
        ]
        one, other = (gradient / gradient.norm() for gradient in gradients)
        off = float((one - other).norm())
        assert 1e-5 < off < tolerance(profile).epsilon / 2


# ---------------------------------------------------------------- names and plans


def test_profiles_are_ordered_and_within_what_a_run_takes() -> None:
    epsilons = [each.epsilon for each in TOLERANCES.values()]
    assert epsilons == sorted(set(epsilons))
    assert EPSILON_MIN <= epsilons[0] <= epsilons[-1] <= EPSILON_MAX
    assert all(name == each.name for name, each in TOLERANCES.items())


def test_the_tightest_profile_that_has_a_margin_fits() -> None:
    for each in TOLERANCES.values():
        assert fitting(each.epsilon / MARGIN * 0.999) == each
        assert fitting(each.epsilon / MARGIN * 1.001) != each
    assert fitting(0.0) == TOLERANCES["smooth"]
    assert fitting(1.0) is None


def test_a_plan_has_the_epsilon_of_the_tasks_profile_or_the_one_that_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def coarse(*_: Any, **__: Any) -> Recipe:
        return replace(digits(), tolerance="bf16")

    monkeypatch.setattr("btard.run.plan.load_recipe", coarse)
    plan = plan_run("digits", peers=4)
    assert (plan.protocol.epsilon, plan.protocol.directions) == (TOLERANCES["bf16"].epsilon, 16)
    assert plan_run("digits", peers=4, epsilon=3e-3).protocol.epsilon == 3e-3
    with pytest.raises(ConfigurationError, match=r"epsilon is 0\.9: use"):
        plan_run("digits", peers=4, epsilon=0.9)


def test_a_profile_that_does_not_exist_is_refused_when_the_recipe_is_made() -> None:
    with pytest.raises(ConfigurationError, match="tolerance is 'exact': use one of smooth, kinked"):
        replace(digits(), tolerance="exact")
