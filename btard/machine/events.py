"""Events: what a driver tells a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from btard.machine.effects import Effect
from btard.types import Digest, PeerId


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
