"""An adversary that has all behaviours, and does what has done most damage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from btard.adversary.acts import performed, sent, spoken
from btard.adversary.base import Adversary
from btard.adversary.damage import Ledger
from btard.errors import ConfigurationError
from btard.machine import Actions, ComputeGradient, Effect, Perform
from btard.protocol.messages import PHASES
from btard.protocol.outputs import Recorded
from btard.protocol.peer import PeerMachine
from btard.training import Engine
from btard.types import Digest

Make = Callable[..., Adversary]
"""`registry.make_adversary`."""

_TOGETHER_MAX = 3
"""Behaviours in one attempt, at most."""

_VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "equivocation": tuple({"phase": phase} for phase in PHASES[:4]),
    "false_accusation": ({"what": "row"}, {"what": "gradient"}),
    "garbage": ({"phase": "reveal"}, {"signed": False}),
    "late": ({"until": "hard"}, {"until": "soft"}, {"until": "free"}),
    "late_publisher": ({"what": "parts"}, {"what": "aggregate"}),
    "liar": tuple(
        {"what": what}
        for what in (
            *("silent", "equivocal", "took", "late", "missing", "available"),
            *("unavailable", "votes", "record", "views"),
        )
    ),
    "sign_flip": ({"scale": 1.0}, {"scale": 1000.0}),
    "silent": tuple({"phase": phase} for phase in PHASES),
    "views_only": tuple({"phase": phase} for phase in ("all", *PHASES[:5])),
    "wrong_aggregate": ({"shift": 1e-4}, {"shift": 1.0}),
}
"""The parameters of each instance of a kind, if not the usual ones."""

_SUSTAINED = frozenset(
    {
        *("dispute_each_phase", "dodge", "false_offer", "flood", "garbage(signed=False)", "late"),
        *("late_publisher", "liar", "nan_gradient", "premature_dispute", "selective"),
        *("silent(phase=gradient)", "silent(phase=aggregate)", "silent(phase=record)"),
        *("views_only", "withheld_part"),
    }
)
"""What can be done more than once: nobody is banned for it, and no seat ends at once."""


@dataclass(kw_only=True, eq=False)
class Composite(Adversary):
    """Knows all that is public, and plays with its colluders: they pick alike. For each attempt, with chance
    `explore`, they pick one to three of all behaviours at random, and, if one of these may end a seat at
    once, one of them alone does that. Else all do what has done most damage for its price (`damage.py`),
    after each behaviour that ends no seat at once has had its turn."""

    reasons: ClassVar[frozenset[str]] = frozenset(
        {
            *("equivocation", "false accusation", "false gradient", "false reveal", "false scalars"),
            *("false validation", "malformed message", "slow", "unreachable"),
            *("withheld aggregate", "withheld part", "wrong aggregate"),
            *(f"silent in phase {phase}" for phase in PHASES),
        }
    )

    explore: float = 0.3
    _kinds: dict[str, Adversary] = field(init=False, default_factory=dict, repr=False)
    _damage: Ledger = field(init=False, default_factory=Ledger, repr=False)
    _plan: tuple[str, ...] = field(init=False, default=(), repr=False)
    _picked: tuple[str, ...] = field(init=False, default=(), repr=False)
    _planned: bytes = field(init=False, default=b"", repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.explore <= 1:
            raise ConfigurationError(f"explore of composite is {self.explore}: use 0 to 1")

    def assemble(self, kinds: tuple[str, ...], make: Make) -> None:
        """Take an instance of each of these kinds, in all its variants."""
        for kind in kinds:
            for params in _VARIANTS.get(kind, ({},)):
                each = make(kind, self.identity, self.seed, self.colluders, **params)
                each.behaviours = self.behaviours
                self._kinds[_title(kind, params)] = each

    @property
    def titles(self) -> tuple[str, ...]:
        """Its behaviours: kinds with their parameters."""
        return tuple(sorted(self._kinds))

    def attach(self, machine: PeerMachine) -> None:
        super().attach(machine)
        for each in self._kinds.values():
            each.attach(machine)

    @property
    def wake(self) -> float | None:
        return min((due for due in (each.wake for each in self._kinds.values()) if due), default=None)

    # ------------------------------------------------------------ what it does

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        for each in self._chosen():
            honest = partial(performed, each, honest=honest, engine=engine)
        try:
            return honest(effect)
        except ConfigurationError:
            if not isinstance(effect, ComputeGradient):
                raise
            # A gradient attack that this task has no place for is none of its behaviours.
            for name in self._plan:
                self._kinds.pop(name)
            self._plan = ()
            return self.perform(effect, _innermost(honest), engine)

    def speak(self, phase: str, payload: Any) -> Any:
        for each in self._chosen():
            payload = None if payload is None else spoken(each, phase, payload)
        return payload

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        for output in out.outputs:
            if isinstance(output, Recorded):
                self._damage.recorded(output, self._picked, self.colluders, now)
        chosen = self._chosen()
        for each in self._kinds.values():
            if each not in chosen:
                each.rest(out, now)
        for each in chosen:
            out = sent(each, out, machine, now)
        return out

    def claims(self, name: Digest, size_bytes: int) -> int:
        for each in self._chosen():
            size_bytes = each.claims(name, size_bytes)
        return size_bytes

    # ------------------------------------------------------------ what it chooses

    def _chosen(self) -> tuple[Adversary, ...]:
        """Return the behaviours of the attempt under way."""
        place = self.seating.state.head
        if place != self._planned:
            self._planned = place
            self._picked = ()
            self._plan = self._draw_plan() if self.is_attacking else ()
        chosen = tuple(self._kinds[name] for name in self._plan if name in self._kinds)
        for each in chosen:
            each.now = self.now
        return chosen

    def _draw_plan(self) -> tuple[str, ...]:
        """Return what all do in this attempt; note in `_picked` what is done by anybody."""
        draw = self.common_draw("plan")
        known = sorted(self._kinds)
        cheap = [name for name in known if not _is_dear(name)]
        if draw.below(1000) < 1000 * self.explore:
            self._picked = tuple(sorted(draw.shuffle(known)[: 1 + draw.below(_TOGETHER_MAX)]))
            mates = [peer for peer in self.colluders if peer in self.seating.participants]
            is_dear = any(map(_is_dear, self._picked))
            return () if is_dear and draw.shuffle(mates)[0] != self.me else self._picked
        untried = [name for name in cheap if name not in self._damage.scores]
        best = None if untried else self._damage.best(cheap)
        self._picked = (best or draw.shuffle(untried or cheap)[0],)
        return self._picked


def _is_dear(name: str) -> bool:
    """Return whether a behaviour, of this title, may end a seat at once."""
    return name not in _SUSTAINED and name.partition("(")[0] not in _SUSTAINED


def _innermost(perform: Perform) -> Perform:
    """Return the honest performer that others were put around."""
    while isinstance(perform, partial):
        perform = perform.keywords["honest"]
    return perform


def _title(kind: str, params: dict[str, Any]) -> str:
    said = ", ".join(f"{name}={value}" for name, value in params.items())
    return f"{kind}({said})" if said else kind
