"""What happens in one simulated run: who takes part, who cheats, what breaks; drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from btard.adversary import ADVERSARIES
from btard.errors import ConfigurationError
from btard.protocol.constants import ProtocolConfig, tolerated
from btard.protocol.messages import PHASES
from btard.simulation.dice import Dice
from btard.simulation.faults import Crash, Cut, Slow, Weather

PEERS_MIN, PEERS_MAX = 4, 16
STEPS_MIN, STEPS_MAX = 3, 5


@dataclass(frozen=True, slots=True)
class Byzantine:
    """The peer's machine and work go through this adversary, a term of `btard.adversary.parse_adversary`."""

    peer: int
    kind: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run of `peers` peers through `steps` steps. What is drawn while it runs is drawn from `seed`."""

    seed: int
    peers: int
    steps: int = 3
    config: ProtocolConfig = field(default_factory=lambda: ProtocolConfig(gradient_s=20.0))
    weather: Weather = field(default_factory=Weather)
    byzantine: tuple[Byzantine, ...] = ()
    crashes: tuple[Crash, ...] = ()
    slow: tuple[Slow, ...] = ()
    cuts: tuple[Cut, ...] = ()

    def __post_init__(self) -> None:
        if len(self.faulty) > tolerated(self.peers):
            raise ConfigurationError(
                f"{len(self.faulty)} faulty peers of {self.peers}: "
                f"at most {tolerated(self.peers)} are tolerated"
            )
        if self.weather.worst_s > self.config.delta_s:
            raise ConfigurationError("a control message may not take longer than delta_s: lower worst_s")

    @property
    def faulty(self) -> frozenset[int]:
        """Peers to whom nothing is promised: Byzantine, crashing or slow ones."""
        faults: tuple[Byzantine | Crash | Slow, ...] = (*self.byzantine, *self.crashes, *self.slow)
        return frozenset(each.peer for each in faults)

    @property
    def steady(self) -> tuple[int, ...]:
        """Peers that must go through the whole run and keep their seats."""
        return tuple(peer for peer in range(self.peers) if peer not in self.faulty)


def draw_scenario(
    seed: int, peers: int | None = None, steps: int | None = None, kinds: Sequence[str] | None = None
) -> Scenario:
    """The scenario of a seed. `kinds` are the adversaries to put in instead of drawn ones.

    Faulty peers are the largest minority in two of three scenarios, and fewer in the others."""
    dice = Dice(seed, "scenario")
    floor = max(PEERS_MIN, 2 * len(kinds or ()) + 1)
    # Half of the swarms are small: a large one costs ten times as much and finds little more.
    drawn = dice.below(dice.choose((6, PEERS_MAX - PEERS_MIN + 1))) + PEERS_MIN
    count = peers if peers is not None else max(floor, drawn)
    length = dice.below(STEPS_MAX - STEPS_MIN + 1) + STEPS_MIN
    config = ProtocolConfig(validators=1 + dice.below(max(1, count // 3)), gradient_s=20.0)
    budget = tolerated(count) if dice.chance(2 / 3) else dice.below(tolerated(count) + 1)
    if kinds is not None:
        budget = max(len(kinds), budget)
    free = budget - len(kinds or ())
    victims = dice.some(range(count), count)
    crashing = min(free, dice.choose((0, 0, 1, 1, 2)))
    slowing = min(free - crashing, dice.choose((0, 0, 0, 1)))
    cheating = free - crashing - slowing if kinds is None else 0
    chosen = kinds if kinds is not None else _draw_kinds(dice, cheating)
    crashed, rest = victims[:crashing], victims[crashing:]
    slowed, rest = rest[:slowing], rest[slowing:]
    cheats, honest = rest[: len(chosen)], rest[len(chosen) :]
    cut = dice.chance(1 / 3) and len(honest) >= 3
    return Scenario(
        seed=seed,
        peers=count,
        steps=steps if steps is not None else length,
        config=config,
        weather=_draw_weather(dice, config, cut),
        byzantine=tuple(Byzantine(peer, kind) for peer, kind in zip(cheats, chosen, strict=True)),
        crashes=tuple(_draw_crash(dice, peer, length) for peer in crashed),
        slow=tuple(
            Slow(peer, dice.below(length), config.phase_s * dice.between(1.2, 3.0)) for peer in slowed
        ),
        cuts=_draw_cuts(dice, honest) if cut else (),
    )


def _draw_kinds(dice: Dice, count: int) -> tuple[str, ...]:
    """Half of the time all of one kind, so that they can play together."""
    known = sorted(ADVERSARIES)
    if dice.chance(0.5):
        return (dice.choose(known),) * count
    return tuple(dice.choose(known) for _ in range(count))


def _draw_weather(dice: Dice, config: ProtocolConfig, cut: bool) -> Weather:
    # What goes around a cut link takes two hops, and must still be there within delta_s.
    worst = config.delta_s / 2 if cut else config.delta_s
    return Weather(
        typical_s=dice.choose((0.01, 0.05, 0.3)) * worst,
        worst_s=worst,
        loss=dice.choose((0.0, 0.02, 0.3)),
        ordered=dice.chance(0.5),
        blob_s=dice.between(0.1, 0.2) * config.phase_s,
        byzantine_late=dice.choose((0.0, 0.0, 0.05, 0.5)),
        byzantine_late_s=dice.choose((3.0, 2.0 * config.phase_s)),
    )


def _draw_crash(dice: Dice, peer: int, steps: int) -> Crash:
    heard = dice.choose((0.0, 0.5, 1.0))
    return Crash(peer, dice.below(steps), dice.choose(PHASES), dice.below(12), heard)


def _draw_cuts(dice: Dice, honest: Sequence[int]) -> tuple[Cut, ...]:
    """One broken link, or two that share no peer: enough are left to relay."""
    count = 2 if len(honest) >= 5 and dice.chance(0.3) else 1
    cuts = []
    for k in range(count):
        start = dice.choose((0.0, dice.between(0.0, 60.0)))
        end = start + dice.between(10.0, 300.0)
        cuts.append(Cut(honest[2 * k], honest[2 * k + 1], start, end, control=dice.chance(0.5)))
    return tuple(cuts)
