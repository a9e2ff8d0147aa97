"""A scenario for each seed: everything that may break does so, within what the protocol is promised."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from btard.adversary import ADVERSARIES
from btard.codec import FP32
from btard.protocol.constants import ProtocolConfig, tolerated
from btard.protocol.messages import PHASES
from btard.simulation.breaks import excess
from btard.simulation.dice import Dice
from btard.simulation.faults import Crash, Cut, Slow, Uplink, Weather
from btard.simulation.scenario import Byzantine, Scenario
from btard.simulation.task import DIMENSION

PEERS_MIN, PEERS_MAX = 4, 16
STEPS_MIN, STEPS_MAX = 3, 5
STEPS_MORE = 4
"""One run of eight is so many steps longer: the pace is known after four, and deadlines follow it."""

QUEUE_SHARE = 0.2
"""Of delta_s: what is left for a message's way through uplink and processor. The link takes the rest."""

BURST_BYTES = 3072
"""A dispute's burst, a message of n messages from and to each of n peers, counted in so many bytes each."""

CUTS_MAX = 4


def draw_scenario(
    seed: int, peers: int | None = None, steps: int | None = None, kinds: Sequence[str] | None = None
) -> Scenario:
    """The scenario of a seed. `kinds` are the adversaries to put in instead of drawn ones.

    Faulty peers are the largest minority in two of three scenarios, and fewer in the others. Links between
    steady peers are broken in four of five."""
    dice = Dice(seed, "scenario")
    floor = max(PEERS_MIN, 2 * len(kinds or ()) + 1)
    # Two of three swarms are small: a large one costs ten times as much and finds little more.
    drawn = dice.below(dice.choose((6, 6, PEERS_MAX - PEERS_MIN + 1))) + PEERS_MIN
    count = peers if peers is not None else max(floor, drawn)
    length = dice.below(STEPS_MAX - STEPS_MIN + 1) + STEPS_MIN
    length += STEPS_MORE * Dice(seed, "length").chance(1 / 8)
    config = _draw_config(Dice(seed, "config"), 1 + dice.below(max(1, count // 3)))
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
    cheats, steady = rest[: len(chosen)], rest[len(chosen) :]
    return Scenario(
        seed=seed,
        peers=count,
        steps=steps if steps is not None else length,
        config=config,
        weather=_draw_weather(dice, config),
        byzantine=tuple(Byzantine(peer, kind) for peer, kind in zip(cheats, chosen, strict=True)),
        crashes=tuple(_draw_crash(dice, peer, length) for peer in crashed),
        slow=tuple(
            Slow(peer, dice.below(length), config.phase_s * dice.between(1.2, 3.0)) for peer in slowed
        ),
        cuts=_draw_cuts(Dice(seed, "cuts"), steady, count) if dice.chance(0.8) else (),
        uplinks=_draw_uplinks(Dice(seed, "uplinks"), config, count),
    )


def _draw_config(dice: Dice, validators: int) -> ProtocolConfig:
    """A quarter of the runs has a Delta_max below the usual norms: all parts are examined, at a price in
    transfers alone. A tau below them clips the rows; above, CenteredClip is their mean."""
    tau = dice.choose((0.15, 1.0, 3.0, 3.0))
    delta_max = dice.choose((0.03, 30.0, 30.0, 30.0))
    return ProtocolConfig(validators=validators, tau=tau, delta_max=delta_max, gradient_s=20.0)


def _draw_kinds(dice: Dice, count: int) -> tuple[str, ...]:
    """Half of the time all of one kind, so that they can play together."""
    known = sorted(ADVERSARIES)
    if dice.chance(0.5):
        return (dice.choose(known),) * count
    return tuple(dice.choose(known) for _ in range(count))


def _draw_weather(dice: Dice, config: ProtocolConfig) -> Weather:
    # What goes around a cut link takes two hops, and must still be there within delta_s.
    worst = (1 - QUEUE_SHARE) * config.delta_s / 2
    return Weather(
        typical_s=dice.choose((0.01, 0.05, 0.3)) * worst,
        worst_s=worst,
        loss=dice.choose((0.0, 0.02, 0.3)),
        ordered=dice.chance(0.5),
        blob_s=dice.between(0.1, 0.2) * config.phase_s,
        byzantine_late=dice.choose((0.0, 0.0, 0.05, 0.5)),
        byzantine_late_s=dice.choose((3.0, 2.0 * config.phase_s)),
        forged=dice.choose((0.0, 0.02)),
    )


def _draw_uplinks(dice: Dice, config: ProtocolConfig, peers: int) -> tuple[Uplink, ...]:
    """Uplinks of prompt peers: the most that a phase takes of an honest one is its gradient for each of the
    others, and that takes at most a quarter of `phase_s`. The burst of a dispute takes its share of
    delta_s."""
    burst_s = dice.between(0.1, 0.4) * QUEUE_SHARE / 2 * config.delta_s
    parts_s = dice.between(0.02, 0.25) * config.phase_s
    control = BURST_BYTES * peers**3 / burst_s
    blobs = peers * FP32.size_bytes(DIMENSION + peers) / parts_s
    factors = [dice.between(1.0, 2.0) for _ in range(peers)]
    return tuple(Uplink(factor * control, factor * blobs) for factor in factors)


def _draw_crash(dice: Dice, peer: int, steps: int) -> Crash:
    heard = dice.choose((0.0, 0.5, 1.0))
    return Crash(peer, dice.below(steps), dice.choose(PHASES), dice.below(12), heard)


def _draw_cuts(dice: Dice, steady: Sequence[int], peers: int) -> tuple[Cut, ...]:
    """Up to CUTS_MAX broken links, of messages, blobs or both, one way or both, as many as `breaks.excess`
    allows even if all are broken at one time."""
    cuts: tuple[Cut, ...] = ()
    if len(steady) < 3:
        return cuts
    for _ in range(1 + dice.below(CUTS_MAX)):
        more = (*cuts, _draw_cut(dice, steady))
        if excess(more, steady, peers) is None:
            cuts = more
    return cuts


def _draw_cut(dice: Dice, steady: Collection[int]) -> Cut:
    one, other = dice.some(sorted(steady), 2)
    control, blobs = dice.choose(((True, True), (True, False), (False, True)))
    start = dice.choose((0.0, dice.between(0.0, 60.0)))
    end = start + dice.between(10.0, 300.0)
    return Cut(one, other, start, end, control, blobs, one_way=dice.chance(0.5))
