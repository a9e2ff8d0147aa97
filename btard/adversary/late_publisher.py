"""A peer whose tensors come late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from btard.adversary.delaying import Delaying
from btard.errors import ConfigurationError
from btard.machine import Actions, PushBlob
from btard.protocol.messages import AGGREGATE, GRADIENT, REVEAL
from btard.protocol.peer import PeerMachine


@dataclass(kw_only=True, eq=False)
class LatePublisher(Delaying):
    """Sends the parts of its gradient, its aggregate, or both, when the share `wait` of the time that is
    waited for them has gone. Above about 0.9 they come too late now and then."""

    reasons: ClassVar[frozenset[str]] = frozenset(
        {"slow", "unreachable", "withheld part", "withheld aggregate"}
    )

    what: Literal["parts", "aggregate", "both"] = "both"
    wait: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.wait <= 2:
            raise ConfigurationError(f"wait of late_publisher is {self.wait}: use more than 0, and at most 2")

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        agreed, seat = machine.attempt.agreed, self.seat
        if seat is not None and self.is_attacking and GRADIENT in agreed.sets:
            parts = set(agreed.sets[GRADIENT][seat].parts)
            for effect in [each for each in out.effects if isinstance(each, PushBlob)]:
                is_part = effect.digest in parts
                if self.what == ("aggregate" if is_part else "parts"):
                    continue
                out.effects.remove(effect)
                patience = machine.attempt.state.patience_s(AGGREGATE if is_part else REVEAL)
                self.keep(effect, now + self.wait * patience)
        self.release(out, now)
        return out
