"""What an adversary does, asked for in one place, so that each departure from honesty is counted."""

from __future__ import annotations

from typing import Any

from btard.adversary.base import Adversary
from btard.machine import Actions, Effect, Perform
from btard.protocol.peer import PeerMachine
from btard.training import Engine


def performed(adversary: Adversary, effect: Effect, honest: Perform, engine: Engine) -> Any:
    """Return the adversary's result of an effect."""
    truth: list[Any] = []

    def observed(asked: Effect) -> Any:
        result = honest(asked)
        if asked is effect:
            truth.append(result)
        return result

    result = adversary.perform(effect, observed, engine)
    _count(adversary, bool(truth) and truth[-1] == result)
    return result


def spoken(adversary: Adversary, phase: str, payload: Any) -> Any:
    """Return what the adversary signs in place of a payload."""
    said = adversary.speak(phase, payload)
    _count(adversary, bool(said == payload))
    return said


def sent(adversary: Adversary, out: Actions, machine: PeerMachine, now: float) -> Actions:
    """Return what the adversary lets out in place of `out`."""
    honest = (list(out.messages), list(out.effects))
    out = adversary.tamper(out, machine, now)
    _count(adversary, honest == (out.messages, out.effects))
    return out


def _count(adversary: Adversary, is_honest: bool) -> None:
    if not is_honest:
        adversary.behaviours[adversary.name or type(adversary).__name__] += 1
