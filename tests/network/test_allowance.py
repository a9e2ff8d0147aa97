"""What senders may cost: a share each, and a spare for all."""

from __future__ import annotations

import pytest

from btard.network.allowance import FLOOD_FACTOR, Allowances
from btard.types import PeerId

A, B = PeerId(b"a" * 32), PeerId(b"b" * 32)


def spent(allowances: Allowances, sender: PeerId, now: float, cost: float) -> int:
    """How many messages of this cost are read from a sender that never stops, at one moment."""
    count = 0
    while allowances.wait_s(sender, now) == 0:
        allowances.spend(sender, cost, now)
        count += 1
    return count


def test_sender_that_never_stops_gets_a_fraction_of_its_share_over_time_and_the_spare_once() -> None:
    allowances = Allowances(share=0.2, spare=0.1, burst_s=1.0)
    allowances.keep({A, B}, 4)
    assert spent(allowances, A, now=0.0, cost=0.25) == 8  # both bursts
    later = sum(spent(allowances, A, now=1.0 + second, cost=0.001) for second in range(100))
    assert later / 100 == pytest.approx(0.2 / 4 / FLOOD_FACTOR * 1000, rel=0.1)
    assert spent(allowances, B, now=101.0, cost=0.25) == 8  # all of the spare is there for others
    allowances.wait_s(A, 200.0)
    assert spent(allowances, A, now=200.0, cost=0.25) == 8  # and for this one, once it has been quiet


def test_sender_that_keeps_to_its_share_gets_all_of_it() -> None:
    allowances = Allowances(share=0.2, spare=1e-9, burst_s=1.0)
    allowances.keep({A}, 4)
    for second in range(100):
        assert allowances.wait_s(A, float(second)) == 0
        allowances.spend(A, 0.2 / 4, float(second))


def test_flood_of_one_leaves_the_share_of_another_alone() -> None:
    allowances = Allowances(share=0.2, spare=0.1, burst_s=1.0)
    allowances.keep({A, B}, 2)
    spent(allowances, A, now=0.0, cost=0.25)
    assert allowances.wait_s(A, 0.0) > 0
    assert spent(allowances, B, now=0.0, cost=0.25) == 4


def test_sender_waits_until_its_debt_is_paid_and_then_is_read_again() -> None:
    allowances = Allowances(share=0.5, spare=1e-9, burst_s=1.0)
    allowances.keep({A}, 1)
    allowances.spend(A, 3.0, 0.0)
    allowances.spend(A, 1.0, 0.0)  # the spare pays this one
    wait_s = allowances.wait_s(A, 0.0)
    assert wait_s >= 4.0
    assert allowances.wait_s(A, wait_s) == 0


def test_savings_are_bounded() -> None:
    allowances = Allowances(share=0.5, spare=0.5, burst_s=1.0)
    assert spent(allowances, A, now=1e6, cost=0.5) == 4


def test_peers_outside_of_the_roster_are_forgotten() -> None:
    allowances = Allowances(share=0.5, spare=1e-9, burst_s=1.0)
    for _ in range(2):
        allowances.spend(A, 9.0, 0.0)
    allowances.keep({B}, 0)
    assert allowances.senders == 1
    assert allowances.wait_s(A, 0.0) == 0
