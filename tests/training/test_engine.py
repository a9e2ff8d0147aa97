"""The engine performs the protocol's effects, and the model never depends on what was asked of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch

from btard.codec import FP32
from btard.crypto import DIRECTION_SCALE, directions
from btard.errors import ConfigurationError
from btard.training import Engine
from btard.types import Digest

SEED = bytes(range(32))
COIN = bytes(reversed(range(32)))
Advance = Callable[..., tuple[Digest, ...]]
MakeEngine = Callable[..., Engine]


def whole(engine: Engine, step: int, seed: bytes) -> torch.Tensor:
    (name,) = engine.gradient(step, seed, 1)
    data = engine.store.get(name)
    assert data is not None
    return FP32.decode(data)


def put(engine: Engine, *values: float) -> Digest:
    return engine.store.put(FP32.encode(torch.tensor(values)))


# ---------------------------------------------------------------- gradients


def test_two_peers_compute_the_same_gradient_whatever_their_generators_did(make_engine: MakeEngine) -> None:
    one, other = make_engine(), make_engine()
    torch.manual_seed(1)
    first = one.gradient(0, SEED, 3)
    torch.rand(100)
    other.gradient(0, bytes(32), 3)
    assert other.gradient(0, SEED, 3) == first
    assert one.gradient(0, bytes(32), 3) != first


def test_a_gradient_leaves_the_callers_generator_alone(make_engine: MakeEngine) -> None:
    engine = make_engine()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    engine.gradient(0, SEED, 1)
    assert torch.equal(torch.rand(1), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_another_split_is_of_the_same_gradient(make_engine: MakeEngine) -> None:
    engine = make_engine()
    pieces = [FP32.decode(engine.store.get(name) or b"") for name in engine.gradient(0, SEED, 5)]
    assert torch.equal(torch.cat(pieces), whole(engine, 0, SEED))


def test_recomputation_of_the_step_before_finds_the_same_after_the_model_moved(
    make_engine: MakeEngine, advance: Advance
) -> None:
    """Batch normalisation counts and dropout draws in between must not matter."""
    engine = make_engine()
    before = make_engine().gradient(0, SEED, 3)
    advance(engine)
    model = engine.model_digest
    assert engine.gradient(0, SEED, 3) == before
    assert engine.gradient(1, SEED, 3) != before
    assert engine.model_digest == model


def test_a_model_that_is_no_longer_kept_is_refused(make_engine: MakeEngine, advance: Advance) -> None:
    engine = make_engine()
    for _ in range(2):
        advance(engine)
    for step in (0, 3):
        with pytest.raises(ConfigurationError, match="not kept"):
            engine.gradient(step, SEED, 1)


def test_a_gradient_that_is_not_finite_counts_as_zero(make_engine: MakeEngine, diverged: object) -> None:
    engine = make_engine(diverged)
    assert torch.equal(whole(engine, 0, SEED), torch.zeros(engine.dimension))


def test_a_clipped_gradient_keeps_its_direction(make_engine: MakeEngine) -> None:
    free = whole(make_engine(), 0, SEED)
    clipped = whole(make_engine(clip=0.01), 0, SEED)
    assert float(clipped.norm()) == pytest.approx(0.01, rel=1e-5)
    assert torch.allclose(clipped / clipped.norm(), free / free.norm(), atol=1e-6)
    assert torch.equal(whole(make_engine(clip=1e6), 0, SEED), free)


# ---------------------------------------------------------------- aggregates


def test_rows_that_cannot_be_aggregated_are_named(make_engine: MakeEngine) -> None:
    engine = make_engine()
    good = [put(engine, 1.0, 2.0), put(engine, 1.5, 2.0), put(engine, 1.0, 2.5)]
    nan, short, absent = put(engine, 1.0, math.nan), put(engine, 1.0), Digest(bytes(32))
    odd = engine.store.put(b"12345")
    assert engine.aggregate((good[0], nan, good[1], short, absent, good[2], odd), 1.0) == (None, (1, 3, 4, 6))
    assert engine.aggregate((), 1.0) == (None, ())
    name, invalid = engine.aggregate(tuple(good), 10.0)
    assert invalid == ()
    assert name is not None
    assert FP32.decode(engine.store.get(name) or b"").tolist() == pytest.approx([3.5 / 3, 6.5 / 3])


def test_aggregates_that_are_not_valid_are_named_and_never_applied(make_engine: MakeEngine) -> None:
    engine = make_engine()
    size = engine.dimension // 2
    good = engine.store.put(FP32.encode(torch.zeros(size)))
    bad = engine.store.put(FP32.encode(torch.full((size,), math.inf)))
    for wrong in (bad, Digest(bytes(32))):
        with pytest.raises(ConfigurationError, match=r"parts \[1\]"):
            engine.update(0, (good, wrong))
    with pytest.raises(ConfigurationError, match=r"parts \[1\]"):
        engine.project(0, SEED, (good, bad), COIN, 1.0)
    assert engine.project_rows(1, 2, (good,), bad, COIN, 1.0) == (None,)


# ---------------------------------------------------------------- scalars


@pytest.mark.parametrize("tau", [0.01, 1e6])
def test_contributor_aggregator_and_validator_agree_on_the_scalars(
    make_engine: MakeEngine, tau: float
) -> None:
    engine, validator = make_engine(), make_engine()
    parts = 3
    rows = [engine.gradient(0, bytes([peer]) * 32, parts) for peer in range(4)]
    aggregates = tuple(engine.aggregate(column, tau)[0] or b"" for column in zip(*rows, strict=True))
    names = tuple(Digest(name) for name in aggregates)
    for name in names:
        validator.store.put(engine.store.get(name) or b"")
    own = engine.project(0, bytes([2]) * 32, names, COIN, tau)
    recomputed, norm = validator.recompute(0, bytes([2]) * 32, names, COIN, tau)
    assert recomputed == own
    assert norm == pytest.approx(float(whole(engine, 0, bytes([2]) * 32).norm()), rel=1e-6)
    for part in range(parts):
        column = tuple(row[part] for row in rows)
        seen = engine.project_rows(part, parts, column, names[part], COIN, tau)
        assert seen[2] == own[part]
        sums = [sum(s.projections[k] for s in seen if s is not None) for k in range(4)]
        assert max(map(abs, sums)) < 1e-5 * min(tau, 1.0), "the aggregate is CenteredClip's fixed point"


def test_scalars_are_what_their_definition_says(make_engine: MakeEngine) -> None:
    engine = make_engine(projections=2)
    gradient, tau = whole(engine, 0, SEED).double(), 0.05
    centre = torch.linspace(-0.1, 0.1, engine.dimension)
    scalars = engine.project(0, SEED, (engine.store.put(FP32.encode(centre)),), COIN, tau)[0]
    difference = gradient - centre.double()
    clipped = difference * min(1.0, tau / float(difference.norm()))
    z_KD = directions(COIN, "projection", 2, 0, engine.dimension).double() / DIRECTION_SCALE
    assert scalars.projections == pytest.approx((z_KD @ clipped).tolist(), rel=1e-12)
    assert scalars.norm == pytest.approx(float(difference.norm()), rel=1e-12)
    assert scalars.center == pytest.approx(float(centre.double().norm()), rel=1e-12)


def test_a_fingerprint_projects_the_whole_gradient_on_directions_of_its_own(make_engine: MakeEngine) -> None:
    engine = make_engine()
    fingerprint = engine.fingerprint(0, SEED, COIN)
    gradient = whole(engine, 0, SEED).double()
    z_KD = directions(COIN, "fingerprint", 4, 0, engine.dimension).double() / DIRECTION_SCALE
    assert fingerprint.projections == pytest.approx((z_KD @ gradient).tolist(), rel=1e-12)
    assert fingerprint.norm == pytest.approx(float(gradient.norm()), rel=1e-12)
    assert fingerprint.center == 0.0


# ---------------------------------------------------------------- steps


@pytest.mark.parametrize(
    "optimizer",
    [
        partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
        partial(torch.optim.Adam, lr=0.01),
        partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1, amsgrad=True),
        partial(torch.optim.RMSprop, lr=0.01, momentum=0.5),
    ],
    ids=["sgd", "adam", "adamw", "rmsprop"],
)
@pytest.mark.parametrize(
    "scheduler",
    [
        None,
        partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=3),
        partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=9),
    ],
    ids=["constant", "cosine", "one-cycle"],
)
def test_the_engine_trains_as_plain_torch_does(
    make_engine: MakeEngine, optimizer: partial[torch.optim.Optimizer], scheduler: object
) -> None:
    engine = make_engine(optimizer=optimizer, scheduler=scheduler)
    plain = torch.nn.Parameter(engine.parameters)
    reference = optimizer([plain])
    schedule = scheduler(reference) if callable(scheduler) else None
    for step in range(4):
        gradient = whole(engine, step, SEED)
        engine.update(step, (engine.store.put(FP32.encode(-gradient)),))  # a discarded attempt
        engine.update(step, engine.gradient(step, SEED, 2))
        engine.adopt(step)
        plain.grad = engine.order.unmix([gradient])
        reference.step()
        if schedule is not None:
            schedule.step()
        assert torch.allclose(engine.parameters, plain.detach(), rtol=1e-6, atol=1e-8)


def test_a_candidate_changes_nothing_until_it_is_adopted(make_engine: MakeEngine) -> None:
    engine = make_engine()
    model, parameters, quality = engine.model_digest, engine.parameters, engine.evaluate()
    candidate = engine.update(0, engine.gradient(0, SEED, 3))
    assert candidate != model
    assert engine.model_digest == model
    assert torch.equal(engine.parameters, parameters)
    assert engine.evaluate() == quality
    engine.adopt(0)
    assert engine.model_digest == candidate
    assert engine.step == 1
    assert engine.evaluate() != quality


def test_adoption_forgets_the_blobs_that_nobody_needs(make_engine: MakeEngine, advance: Advance) -> None:
    engine = make_engine()
    aggregates = advance(engine)
    assert len(engine.store) == len(aggregates)
    assert all(name in engine.store for name in aggregates)


def test_steps_out_of_order_are_refused(make_engine: MakeEngine) -> None:
    engine = make_engine()
    with pytest.raises(ConfigurationError, match="no candidate"):
        engine.adopt(0)
    with pytest.raises(ConfigurationError, match="at step 0"):
        engine.update(1, engine.gradient(0, SEED, 1))
