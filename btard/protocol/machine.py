"""The interface of every protocol machine: `handle(event, now) -> Step`.

A machine is pure: no clock, no entropy, no I/O, no tensors. Time comes in as `now` (seconds, any
origin, never decreasing), randomness as bytes at construction, heavy work and transfer leave as
effects and come back as `Done` events. Tensors are known by digest only. The node and the
simulator drive the same machines.

Gradients, parts and aggregates are *blobs*: the little-endian float32 bytes of a vector, named by
`crypto.digest("blob", bytes)` and kept in the driver's blob store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from btard.types import Digest, Fault, PeerId, Scalars

# ---------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class Received:
    """Control bytes from `sender`, whom the transport has authenticated. Never trusted."""

    sender: PeerId
    raw: bytes


@dataclass(frozen=True, slots=True)
class BlobHeld:
    """The blob of this digest has arrived, verified against it. `finite` is False where some value of it is
    NaN or Inf; then, or where it hasn't the size of its part, its owner's commitment is worthless."""

    digest: Digest
    size_bytes: int
    finite: bool


@dataclass(frozen=True, slots=True)
class Done:
    """The result of an effect. `result` has the type that the effect's docstring states."""

    effect: Effect
    result: Any


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: sent by the driver at `machine.wake` or later."""


Event = Received | BlobHeld | Done | Tick

# ---------------------------------------------------------------- effects


@dataclass(frozen=True, slots=True)
class ComputeGradient:
    """Compute this peer's gradient of `step` from `seed` at x_step, split it into `parts`, store the
    parts as blobs. Result: tuple of `parts` digests. Asked again with another number of parts (a
    restarted attempt) the gradient itself need not be computed again."""

    step: int
    seed: bytes
    parts: int


@dataclass(frozen=True, slots=True)
class PushBlob:
    """Send a held blob to peers. No result; loss is the transport's to report as silence."""

    digest: Digest
    to: tuple[PeerId, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """CenteredClip over the blobs `rows` (all of one size), in order; store the result as a blob.
    Result: `Aggregated`."""

    rows: tuple[Digest, ...]
    tau: float


@dataclass(frozen=True, slots=True)
class Aggregated:
    """`aggregate` is None where `invalid` names rows (by index) with NaN, Inf or a wrong size."""

    aggregate: Digest | None
    invalid: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """Scalars of this peer's own gradient of `step` against the aggregates of all parts.
    Result: tuple of Scalars, one a part."""

    step: int
    seed: bytes
    aggregates: tuple[Digest, ...]
    coin: bytes
    tau: float


@dataclass(frozen=True, slots=True)
class ProjectRows:
    """Scalars of each held row blob of part `part` of `parts` against its aggregate.
    Result: tuple of Scalars, one a row; None at a row whose blob is not held or is not finite."""

    part: int
    parts: int
    rows: tuple[Digest, ...]
    aggregate: Digest
    coin: bytes
    tau: float


@dataclass(frozen=True, slots=True)
class Recompute:
    """Recompute the gradient that the peer with `seed` owed in `step` (the current step or the one
    before; the engine keeps x_t of both) and the scalars that it should have published.
    Result: `Recomputed`."""

    step: int
    seed: bytes
    aggregates: tuple[Digest, ...]
    coin: bytes
    tau: float


@dataclass(frozen=True, slots=True)
class Recomputed:
    """`norm` is the norm of the whole gradient: the scale of the tolerance."""

    scalars: tuple[Scalars, ...]
    norm: float


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Projections of the whole gradient of (step, seed) on fresh directions of `coin`, recomputed
    where this peer does not hold it. Result: Scalars (norm = the gradient's norm)."""

    step: int
    seed: bytes
    coin: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """Apply the aggregates to a *copy* of model and optimizer, as candidate for x_(step+1).
    Result: the candidate's model digest."""

    step: int
    aggregates: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Adopt:
    """The step is final: the candidate becomes the model, x_step is kept as the previous model for
    recomputation, older gradients and blobs that are not in `keep` may go. No result."""

    step: int
    keep: tuple[Digest, ...] = ()


Effect = (
    ComputeGradient | PushBlob | Aggregate | Project | ProjectRows | Recompute | Fingerprint | Update | Adopt
)

# ---------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class Send:
    """Control bytes for each of `to`. The transport keeps order per pair; it may lose on a crash."""

    to: tuple[PeerId, ...]
    raw: bytes


@dataclass(slots=True)
class Step:
    """What a machine wants after one event, in order. Outputs are read by whoever composes it."""

    messages: list[Send] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def extend(self, other: Step) -> None:
        """Append all that `other` wants."""
        self.messages += other.messages
        self.effects += other.effects
        self.outputs += other.outputs
        self.faults += other.faults


class Machine(Protocol):
    """A driver calls `handle` with each event, and with a `Tick` once `now` reaches `wake`."""

    @property
    def wake(self) -> float | None: ...

    def handle(self, event: Event, now: float) -> Step: ...
