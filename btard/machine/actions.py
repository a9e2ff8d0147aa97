"""Actions: all that a machine wants after one event; and the interface of every machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from btard.machine.effects import Effect
from btard.machine.events import Event
from btard.types import Digest, Fault, PeerId


@dataclass(frozen=True, slots=True)
class Send:
    """Control bytes for each of `to`. The transport keeps order per pair; it may lose on a crash."""

    to: tuple[PeerId, ...]
    raw: bytes


class Output:
    """Base of what a machine reports to its driver. Each protocol has its own kinds."""

    __slots__ = ()


@dataclass(slots=True)
class Actions:
    """What a machine wants after one event, in order."""

    messages: list[Send] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def extend(self, other: Actions) -> None:
        """Append all that `other` wants."""
        self.messages += other.messages
        self.effects += other.effects
        self.outputs += other.outputs
        self.faults += other.faults


class Machine(Protocol):
    """A driver calls `begin`, then `handle` with each event, and with a `Tick` once `now` reaches `wake`.

    No blob is larger than `part_bytes_max`; `expects` tells whether a sender is entitled to push one now, and
    `reads` whether a control message can change anything: one that cannot need not be handled. `hold_up`
    tells it that a sender is read slowly."""

    @property
    def wake(self) -> float | None: ...

    @property
    def part_bytes_max(self) -> int: ...

    def begin(self, now: float) -> Actions: ...

    def hold_up(self, sender: PeerId) -> Actions: ...

    def reads(self, sender: PeerId, raw: bytes, now: float) -> bool: ...

    def handle(self, event: Event, now: float) -> Actions: ...

    def expects(self, sender: PeerId, name: Digest) -> bool: ...
