"""The base of all adversaries: an honest peer, with three places to lie in.

An adversary wraps an honest machine and an honest performer from outside, and honest code knows nothing of
it. It can lie to its own machine (`perform`: the machine then runs the honest protocol on false work, and all
its messages are consistent), change what the machine is about to sign (`speak`: the machine believes that it
said so), and change what leaves the peer (`tamper`: others hear what the machine does not know of).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from btard.crypto import Draw, Identity, digest
from btard.errors import ConfigurationError
from btard.machine import Actions, Effect, Perform
from btard.protocol.agreed import Seating
from btard.protocol.peer import PeerMachine
from btard.training import Engine
from btard.types import Digest, PeerId


@dataclass(kw_only=True, eq=False)
class Adversary:
    """Honest by default; each kind overrides what it lies in. Its further fields are its parameters.

    `identity` is its own key, to seal forged messages; `seed` (any bytes) is all its randomness; `colluders`
    are the adversaries that know each other, itself included or not. It attacks in steps `start`,
    `start + period`, `start + 2 period`, ... Raises ConfigurationError for parameters out of bounds.

    `now` is the time of the event under way. `name` is its kind, if it was made by name, and `behaviours`
    counts by kind how often it did other than an honest peer (`acts.py`).
    """

    reasons: ClassVar[frozenset[str]] = frozenset()
    """Why it may lose its seat, with or without a ban; empty if it is harmless."""

    identity: Identity
    seed: bytes
    colluders: tuple[PeerId, ...] = ()
    start: int = 0
    period: int = 1
    name: str = field(init=False, default="")
    now: float = field(init=False, default=0.0, repr=False)
    behaviours: Counter[str] = field(init=False, default_factory=Counter, repr=False)
    _machine: PeerMachine | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.colluders = tuple(sorted({*self.colluders, self.identity.peer}))
        if self.start < 0 or self.period < 1:
            raise ConfigurationError(
                f"start of an adversary is {self.start} and period {self.period}: use at least 0 and 1"
            )
        for name in (each.name for each in fields(self)):
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigurationError(f"{name} of an adversary is {value}: give a finite number")

    # ------------------------------------------------------------ where it lies

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        """Return the result of an effect. May run on a worker thread, never two at a time."""
        return honest(effect)

    def speak(self, phase: str, payload: Any) -> Any:
        """Return what the peer signs in `phase` in place of `payload`. None: the peer says nothing, and is
        asked again. The ledger vote (RECORD) is not asked for here."""
        return payload

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        """Return what leaves the peer after one event."""
        return out

    def rest(self, out: Actions, now: float) -> None:
        """Let out what is due, though it does nothing for now (`composite.py`)."""

    def claims(self, name: Digest, size_bytes: int) -> int:
        """The size that the peer claims as it offers a blob."""
        return size_bytes

    @property
    def wake(self) -> float | None:
        """When it is to be asked again by `tamper`, though nothing has happened."""
        return None

    # ------------------------------------------------------------ what it knows

    def active(self, step: int) -> bool:
        """Whether it attacks in `step`."""
        return step >= self.start and (step - self.start) % self.period == 0

    def attach(self, machine: PeerMachine) -> None:
        """Called once, by `AdversarialMachine`: the honest machine that it looks into."""
        self._machine = machine

    @property
    def me(self) -> PeerId:
        """Its name."""
        return self.identity.peer

    @property
    def seating(self) -> Seating:
        """The attempt under way."""
        assert self._machine is not None, "an adversary works inside of an AdversarialMachine"
        return self._machine.attempt.seating

    @property
    def seat(self) -> int | None:
        """Its seat in the attempt under way."""
        peers = self.seating.participants
        return peers.index(self.me) if self.me in peers else None

    @property
    def part(self) -> int | None:
        """The part that it aggregates in the attempt under way, None if none."""
        return self.seating.part_of(self.seat)

    @property
    def is_attacking(self) -> bool:
        """Whether it takes part in the attempt under way, and attacks in its step."""
        return self.seat is not None and self.active(self.seating.state.step)

    def draw(self, domain: str) -> Draw:
        """Its own choices in the attempt under way: the same when asked again."""
        return Draw(self.seed + self.seating.state.place, domain)

    def common_draw(self, domain: str) -> Draw:
        """The choices of all colluders alike in the attempt under way: a function of public state."""
        state = self.seating.state
        return Draw(digest("collusion", state.run, *self.colluders) + state.place, domain)

    @property
    def prey(self) -> tuple[PeerId, ...]:
        """The participants that do not collude with it, in an order that all colluders draw alike."""
        others = tuple(p for p in self.seating.participants if p not in self.colluders)
        return self.common_draw("prey").shuffle(others)

    def victims(self) -> tuple[PeerId, ...]:
        """The participants that do not collude with it, in random order."""
        others = tuple(p for p in self.seating.participants if p not in self.colluders)
        return self.draw("victims").shuffle(others)

    def aggregating_victims(self) -> tuple[PeerId, ...]:
        """Those of `victims` that aggregate a part."""
        return tuple(peer for peer in self.victims() if peer in self.seating.state.aggregators)
