"""Cheats that a test writes out: what a peer sends, or what its effects come to, as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from btard.adversary import Adversary
from btard.machine import Actions, ComputeGradient, Effect, Perform, Project
from btard.protocol.agreed import Seating
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.training import Engine
from btard.wire import Envelope, Sealed, open_sealed, seal
from tests.rig import MakeAdversary

Tamper = Callable[["Scripted", Actions], Actions]
"""Changes what leaves the cheat after one event."""

Misdeed = Callable[[Engine, Perform, Effect], object]
"""Performs an effect of the cheat; the honest way to do it comes along."""


@dataclass(kw_only=True, eq=False)
class Scripted(Adversary):
    """Does what the functions say, in every step. `now` and `before` are of the event under way: the time,
    and the state before it."""

    sends: Tamper | None = None
    performs: Misdeed | None = None
    now: float = 0.0
    before: RosterState | None = None
    machine: PeerMachine | None = field(init=False, default=None)

    def attach(self, machine: PeerMachine) -> None:
        super().attach(machine)
        self.machine, self.before = machine, machine.state

    @property
    def state(self) -> RosterState:
        assert self.machine is not None
        return self.machine.state

    @property
    def others(self) -> tuple[Any, ...]:
        """Everybody else at genesis who is still a member."""
        assert self.before is not None
        return tuple(peer for peer in self.before.members if peer != self.me)

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        self.now = now
        if self.sends is not None:
            out = self.sends(self, out)
        self.before = machine.state
        return out

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        return honest(effect) if self.performs is None else self.performs(engine, honest, effect)

    def sealed(self, phase: str, payload: bytes) -> bytes:
        """Bytes that it signs for a slot of the attempt before the event, whatever they say."""
        seating = Seating(self.before or self.state)
        return seal(self.identity, Envelope(*seating.place(phase), self.me, payload))


def sending(tamper: Tamper) -> MakeAdversary:
    return partial(Scripted, sends=tamper)


def performing(misdeed: Misdeed) -> MakeAdversary:
    return partial(Scripted, performs=misdeed)


# ---------------------------------------------------------------- what is sent


def envelope(raw: bytes) -> Envelope | None:
    opened = open_sealed(raw)
    return opened.envelope if isinstance(opened, Sealed) else None


def is_of(raw: bytes, phase: str, step: int = 1, attempt: int | None = None) -> bool:
    """Whether these bytes are a message of this place."""
    said = envelope(raw)
    return said is not None and (said.phase, said.step) == (phase, step) and attempt in (None, said.attempt)


def speaking(phase: str, then: Callable[[Scripted, Actions], None], attempt: int = 0) -> MakeAdversary:
    """Do something when this peer speaks in a phase of step 1."""

    def tamper(cheat: Scripted, out: Actions) -> Actions:
        own = [s for s in out.messages if (e := envelope(s.raw)) is not None and e.sender == cheat.me]
        if any(is_of(send.raw, phase, attempt=attempt) for send in own):
            then(cheat, out)
        return out

    return sending(tamper)


def falls_silent(phase: str, step: int = 1) -> MakeAdversary:
    """Send nothing of this phase: everybody waits, then settles it in a dispute."""

    def tamper(cheat: Scripted, out: Actions) -> Actions:
        out.messages = [send for send in out.messages if not is_of(send.raw, phase, step)]
        return out

    return sending(tamper)


# ---------------------------------------------------------------- what effects come to


def misreports(engine: Engine, honest: Perform, effect: Effect) -> object:
    """Publish false projections in another's part in step 1: banned by the verdicts on a row."""
    result = honest(effect)
    if isinstance(effect, Project) and effect.step == 1:
        first = result[0]
        return (replace(first, projections=tuple(p + first.norm for p in first.projections)), *result[1:])
    return result


def owes_another_gradient(engine: Engine, honest: Perform, effect: Effect) -> object:
    """Take a batch of its own choice in step 3, and publish the true scalars of that."""
    if isinstance(effect, ComputeGradient | Project) and effect.step == 3:
        return honest(replace(effect, seed=bytes(32)))
    return honest(effect)
