"""Effects: heavy work and transfer that a machine asks its driver for, by digest.

Gradients, parts and aggregates are *blobs*: the bytes of a vector in the run's codec, named by
`crypto.digest("blob", bytes)` and kept in the driver's blob store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from btard.types import Digest, PeerId, Scalars

R = TypeVar("R")


class EffectOf(Generic[R]):
    """Base of all effects: `R` is the type of the result, which comes back in a `Done` event."""

    __slots__ = ()


Effect: TypeAlias = EffectOf[Any]
"""Any effect."""

Perform = Callable[[Effect], Any]
"""Performs one effect and returns its result."""


@dataclass(frozen=True, slots=True)
class Aggregated:
    """`aggregate` is None if `invalid` names rows (by index) with NaN, Inf or a wrong size."""

    aggregate: Digest | None
    invalid: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Recomputed:
    """`norm` is the norm of the whole gradient: the scale of the tolerance."""

    scalars: tuple[Scalars, ...]
    norm: float


@dataclass(frozen=True, slots=True)
class ComputeGradient(EffectOf[tuple[Digest, ...]]):
    """Compute this peer's gradient of `step` from `seed` at x_step, split it into `parts`, store the
    parts as blobs. Result: tuple of `parts` digests. Asked again with another number of parts (a
    restarted attempt) the gradient itself need not be computed again."""

    step: int
    seed: bytes
    parts: int


@dataclass(frozen=True, slots=True)
class PushBlob(EffectOf[None]):
    """Send a held blob to peers. No result; loss is the transport's to report as silence."""

    digest: Digest
    to: tuple[PeerId, ...]


@dataclass(frozen=True, slots=True)
class Aggregate(EffectOf[Aggregated]):
    """CenteredClip over the blobs `rows` (all of one size), in order; store the result as a blob. `tau` is a
    part's radius, here and below.
    Result: `Aggregated`."""

    rows: tuple[Digest, ...]
    tau: float


@dataclass(frozen=True, slots=True)
class Project(EffectOf[tuple[Scalars, ...]]):
    """Scalars of this peer's own gradient of `step` against the aggregates of all parts.
    Result: tuple of Scalars, one a part."""

    step: int
    seed: bytes
    aggregates: tuple[Digest, ...]
    coin: bytes
    tau: float


@dataclass(frozen=True, slots=True)
class ProjectRows(EffectOf[tuple[Scalars | None, ...]]):
    """Scalars of each held row blob of part `part` of `parts` against its aggregate.
    Result: tuple of Scalars, one a row; None at a row whose blob is not held or is not finite."""

    part: int
    parts: int
    rows: tuple[Digest, ...]
    aggregate: Digest
    coin: bytes
    tau: float


@dataclass(frozen=True, slots=True)
class Recompute(EffectOf[Recomputed]):
    """Recompute the gradient that the peer with `seed` owed in `step` (the current step or the one
    before; the engine keeps x_t of both) and the scalars that it should have published.
    Result: `Recomputed`."""

    step: int
    seed: bytes
    aggregates: tuple[Digest, ...]
    coin: bytes
    tau: float


@dataclass(frozen=True, slots=True)
class Fingerprint(EffectOf[Scalars]):
    """Projections of the whole gradient of (step, seed) on fresh directions of `coin`, recomputed
    where this peer does not hold it. Result: Scalars (norm = the gradient's norm)."""

    step: int
    seed: bytes
    coin: bytes


@dataclass(frozen=True, slots=True)
class Update(EffectOf[Digest]):
    """Apply the aggregates to a *copy* of model and optimizer, as candidate for x_(step+1).
    Result: the candidate's model digest."""

    step: int
    aggregates: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Abandon(EffectOf[None]):
    """An attempt ended without a step: blobs that are not in `keep` may go. No result."""

    keep: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class Adopt(EffectOf[None]):
    """The step is final: the candidate becomes the model, x_step is kept as the previous model for
    recomputation, older gradients and blobs that are not in `keep` may go. No result."""

    step: int
    keep: tuple[Digest, ...] = ()
