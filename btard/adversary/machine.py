"""An adversary's machine: an honest one, with the adversary between it and the world."""

from __future__ import annotations

from typing import Any, cast

from btard.adversary.base import Adversary, Perform
from btard.machine import Actions, Effect, Event
from btard.protocol.duties import Duties
from btard.protocol.peer import PeerMachine
from btard.training import Engine


class AdversarialMachine:
    """Wraps a `PeerMachine`; drivers use it as one. What it does not change it delegates."""

    def __init__(self, machine: PeerMachine, adversary: Adversary) -> None:
        self.machine = machine
        self.adversary = adversary
        adversary.attach(machine)
        self._get_between()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.machine, name)

    @property
    def wake(self) -> float | None:
        """When the next tick is due."""
        return self.machine.wake

    def begin(self, now: float) -> Actions:
        """The first effects and messages."""
        return self._tamper(self.machine.begin(now), now)

    def handle(self, event: Event, now: float) -> Actions:
        """Take one event."""
        return self._tamper(self.machine.handle(event, now), now)

    def _tamper(self, out: Actions, now: float) -> Actions:
        self._get_between()
        return self.adversary.tamper(out, self.machine, now)

    def _get_between(self) -> None:
        """A new attempt has its own duties. It never speaks within the event that began it: its gradient
        takes an effect."""
        attempt = self.machine.attempt
        if not isinstance(attempt.duties, _Mouth):
            attempt.duties = cast(Duties, _Mouth(attempt.duties, self.adversary))


class _Mouth:
    """Honest duties whose payloads go through the adversary before the machine signs them."""

    def __init__(self, duties: Duties, adversary: Adversary) -> None:
        self._duties = duties
        self._adversary = adversary

    def __getattr__(self, name: str) -> Any:
        return getattr(self._duties, name)

    def prepare(self, phase: str, now: float) -> Any:
        payload = self._duties.prepare(phase, now)
        return None if payload is None else self._adversary.speak(phase, payload)


def tampered(adversary: Adversary, honest: Perform, engine: Engine) -> Perform:
    """The adversary's performer: `honest` on `engine`, with the adversary's lies."""

    def perform(effect: Effect) -> Any:
        return adversary.perform(effect, honest, engine)

    return perform
