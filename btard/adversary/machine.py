"""An adversary's machine: an honest one, with the adversary between it and the world."""

from __future__ import annotations

from functools import partial
from typing import Any

from btard.adversary.acts import performed, sent, spoken
from btard.adversary.base import Adversary
from btard.machine import Actions, Event, Perform
from btard.protocol.agreed import Agreed
from btard.protocol.duties import Due, Duties
from btard.protocol.messages import Payload, Phase
from btard.protocol.peer import PeerMachine
from btard.training import Engine


class AdversarialMachine(PeerMachine):
    """A `PeerMachine`, made from the same arguments, whose every action the adversary may change."""

    def __init__(self, adversary: Adversary, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named, make_duties=partial(SpeakingDuties, adversary))
        self.adversary = adversary
        adversary.attach(self)

    @property
    def wake(self) -> float | None:
        """When the next tick is due, to the honest machine or to the adversary."""
        honest, own = super().wake, self.adversary.wake
        if self.ended is not None or own is None:
            return honest
        return own if honest is None else min(honest, own)

    def begin(self, now: float) -> Actions:
        """Return the first effects and messages."""
        self.adversary.now = now
        return sent(self.adversary, super().begin(now), self, now)

    def handle(self, event: Event, now: float) -> Actions:
        """Take one event."""
        self.adversary.now = now
        return sent(self.adversary, super().handle(event, now), self, now)


class SpeakingDuties(Duties):
    """Honest duties whose payloads go through the adversary before the machine signs them."""

    def __init__(self, adversary: Adversary, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._adversary = adversary

    def prepare(self, phase: Phase, agreed: Agreed, due: Due) -> tuple[Payload | None, Actions]:
        """Return what the adversary says in place of an honest payload."""
        payload, out = super().prepare(phase, agreed, due)
        return None if payload is None else spoken(self._adversary, phase, payload), out


def tampered(adversary: Adversary, honest: Perform, engine: Engine) -> Perform:
    """Return the adversary's performer: `honest` on `engine`, with the adversary's lies."""
    return partial(performed, adversary, honest=honest, engine=engine)
