"""Aggregates that are false by much or little, with colluders and without: what becomes of them, and what a
suspicious part costs the honest.

Attacks on the tolerances of Verification 1 and 2. In every scenario no honest peer loses anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btard.adversary import Adversary
from btard.adversary.colluding_aggregate import ColludingAggregate
from btard.adversary.wrong_aggregate import WrongAggregate
from btard.machine import Actions, Effect, Perform, Project, PushBlob
from btard.protocol.messages import ACCUSE, SCALARS
from btard.protocol.outputs import FINISHED
from btard.protocol.peer import PeerMachine
from btard.protocol.record import ABORT, Complaint
from btard.training import Engine
from btard.types import Digest, PeerId, Scalars
from tests.adversary.swarm import CONFIG, Removals, outcome, swarm
from tests.rig import Peer, Rig

WRONG = ("adversary", "ban", "wrong aggregate")


def lie(true: Scalars, norm: float, balance: float) -> Scalars:
    """Scalars whose norm is `norm`, whose projections are `balance` times the true ones, and whose triangle
    closes."""
    row = max(true.row, abs(norm - true.center))
    return replace(true, projections=tuple(balance * p for p in true.projections), norm=norm, row=row)


@dataclass(kw_only=True, eq=False)
class Accomplice(Adversary):
    """Publishes, of each part that a colluder aggregates, the norm `norm` and its projections `balance`
    times. A small norm widens the tolerance of the zero sum. Far from all rows the honest projections are
    alike, so its own, times the ratio of honest to Byzantine peers, make the sum zero. It accuses nobody."""

    norm: float
    balance: float

    def speak(self, phase: str, payload: Any) -> Any:
        return replace(payload, accusations=()) if phase == ACCUSE else payload

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        result = super().perform(effect, honest, engine)
        if not isinstance(effect, Project) or not self.is_attacking:
            return result
        peers = self.seating.participants
        owners = [peers[seat] for seat in self.seating.aggregators]
        return tuple(
            lie(true, self.norm, self.balance) if owner in self.colluders else true
            for owner, true in zip(owners, result, strict=True)
        )


@dataclass(kw_only=True, eq=False)
class Ringleader(Accomplice, WrongAggregate):
    """The one of them that shifts its aggregate."""


@dataclass(kw_only=True, eq=False)
class WithheldRows(ColludingAggregate):
    """Shifts its aggregate by little, and in the first attempt sends the rows to none of its examiners."""

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        state, sets = machine.state, machine.attempt.agreed.sets
        if state.attempt == 0 and SCALARS in sets:
            out.effects = [effect for effect in out.effects if not isinstance(effect, PushBlob)]
        return out


def ends_as_the_honest_want(rig: Rig, steps: int) -> Removals:
    """(who, kind, reason) of the removals of a run that the honest peers finish, all of them, alike."""
    rig.run()
    assert {peer.machine.ended and peer.machine.ended.reason for peer in rig.honest} == {FINISHED}
    assert {peer.machine.state.step for peer in rig.honest} == {steps}
    assert len(rig.models()) == 1
    assert all(peer.engine.parameters.norm() < 1 for peer in rig.honest), "nothing false was applied"
    found = outcome(rig)
    assert "honest" not in {who for who, _, _ in found}
    return found


def aborted(rig: Rig) -> list[int]:
    """Steps of the attempts that ended without one."""
    return [record.step for record in rig.agreed() if record.kind == ABORT]


def colluders(count: int, shift: float, norm: float, balance: float) -> tuple[Callable[..., Adversary], ...]:
    """One that shifts its aggregate, and accomplices: `count` peers."""
    said = {"norm": norm, "balance": balance, "start": 1}
    return (partial(Ringleader, shift=shift, **said), *[partial(Accomplice, **said)] * (count - 1))


@settings(max_examples=12)
@given(shift=st.floats(-3, 30).map(lambda power: 10.0**power))
def test_one_aggregator_alone_is_banned_in_the_same_attempt_whatever_its_shift(shift: float) -> None:
    rig = swarm(partial(WrongAggregate, shift=shift), honest=5, steps=2)
    assert ends_as_the_honest_want(rig, 2) == {WRONG}
    assert aborted(rig) == [0]


UNEXAMINED = replace(CONFIG, delta_max=1e40)
"""No part is suspicious: what all peers see in the agreed numbers has to do."""


@pytest.mark.parametrize(("honest", "byzantine"), [(5, 3), (9, 7)])
@pytest.mark.parametrize("shift", [10.0, 3e5, 1e7, 1e30])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_greatest_number_of_colluders_with_false_norms_cannot_hide_a_huge_aggregate(
    honest: int, byzantine: int, shift: float, balanced: bool
) -> None:
    balance = -honest / byzantine if balanced else 1.0
    liars = colluders(byzantine, shift, CONFIG.tau, balance)
    rig = swarm(*liars, honest=honest, steps=3, config=UNEXAMINED)
    assert WRONG in ends_as_the_honest_want(rig, 3)
    assert aborted(rig)[0] == 1
    first = next(record for record in rig.agreed() if record.kind == ABORT)
    banned = {rig.seat_of[PeerId(r.peer)]: r.reason for r in first.removals}
    assert banned[rig.byzantine[0].seat] == "wrong aggregate", "in the attempt of the attack"


@pytest.mark.parametrize("shift", [0.01, 0.3])
def test_false_norms_alone_hide_no_shift_that_honest_rows_would_allow(shift: float) -> None:
    liars = colluders(3, shift, CONFIG.tau, 1.0)
    rig = swarm(*liars, honest=4, steps=3, config=UNEXAMINED)
    assert WRONG in ends_as_the_honest_want(rig, 3)
    assert aborted(rig)[0] == 1


SUSPICIOUS = replace(CONFIG, delta_max=1e-3)
"""Delta_max below the usual norms: every part is suspicious in every step."""


class Uplinks(Rig):
    """Peers whose blobs leave one after the other, `bytes_s` bytes a second."""

    bytes_s = 1.0

    def offer(self, sender: Peer, to: Peer, name: Digest, data: bytes) -> None:
        free: dict[int, float] = self.__dict__.setdefault("_free", {})
        free[sender.seat] = max(self.now, free.get(sender.seat, 0.0)) + len(data) / self.bytes_s

        def leave() -> Any:
            super(Uplinks, self).offer(sender, to, name, data)
            return to.driver.tick(self.now)

        self.later(to, leave, free[sender.seat] - self.now)


class ThreeSecondUplinks(Uplinks):
    """The parts of a step leave a peer of 16 in 3 of the 20 seconds of a phase."""

    bytes_s = 21 * 4 / 3.0


def test_examiners_cost_a_transfer_and_no_seat_where_delta_max_is_below_the_usual_norms() -> None:
    config = replace(SUSPICIOUS, phase_s=20.0)
    rig = swarm(honest=16, steps=3, config=config, make=ThreeSecondUplinks)
    assert ends_as_the_honest_want(rig, 3) == set()
    assert aborted(rig) == []


def test_every_part_is_sent_to_its_examiners_and_to_nobody_else() -> None:
    usual, watched = (swarm(honest=8, steps=1, config=c).run() for c in (CONFIG, SUSPICIOUS))
    more = {
        (sender, to): count - usual.pushes[sender, to, name]
        for (sender, to, name), count in watched.pushes.items()
        if count > usual.pushes[sender, to, name]
    }
    receivers: dict[PeerId, set[PeerId]] = {}
    for sender, to in more:
        receivers.setdefault(sender, set()).add(to)
    assert {len(to) for to in receivers.values()} == {CONFIG.examiners}
    assert len(receivers) == 8


def test_an_examiner_bans_a_contributor_that_its_aggregator_does_not_accuse() -> None:
    rig = swarm(("colluding_aggregate", {"shift": 0.2}), honest=4, steps=2, config=SUSPICIOUS)
    assert ends_as_the_honest_want(rig, 2) == {("adversary", "ban", "false scalars")}
    assert aborted(rig) == [0]


def test_rows_that_are_kept_from_their_examiners_end_the_attempt_and_no_seat() -> None:
    rig = swarm(partial(WithheldRows, shift=0.2), honest=4, steps=2, config=SUSPICIOUS)
    assert ends_as_the_honest_want(rig, 2) == set()
    assert aborted(rig) == [0], "and then its part is another's"
    cheat = rig.byzantine[0].name
    assert rig.agreed()[0].complaints == (Complaint(cheat, cheat),)
    assert cheat not in rig.honest[0].machine.state.aggregators
