"""Events: what a driver tells a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeAlias

from btard.machine.effects import EffectOf, R
from btard.types import Digest, PeerId


@dataclass(frozen=True, slots=True)
class Received:
    """Control bytes from `sender`, whom the transport has authenticated. Never trusted."""

    sender: PeerId
    raw: bytes


@dataclass(frozen=True, slots=True)
class BlobHeld:
    """The blob of this digest has arrived, verified against it. `finite` is False if a value of it is NaN or
    Inf; then, or if it has not the size of its part, its owner's commitment is worthless."""

    digest: Digest
    size_bytes: int
    finite: bool


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """The result of an effect."""

    effect: EffectOf[R]
    result: R


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: sent by the driver at `machine.wake` or later."""


@dataclass(frozen=True, slots=True)
class TakenUp:
    """This peer was away, others perhaps too, and is back. For it no time has passed, but deadlines that
    rest on what honest peers do at one time begin again."""


Event: TypeAlias = Received | BlobHeld | Done[Any] | Tick | TakenUp
