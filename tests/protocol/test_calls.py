"""Calls for a dispute: how many begin one, and which of them count."""

from __future__ import annotations

from typing import Any

import pytest

from btard.crypto import Identity
from btard.protocol.broadcast import sign
from btard.protocol.calls import Calls
from btard.protocol.messages import AGGREGATE, CALL, GRADIENT, REVEAL, Call
from btard.types import FaultKind
from btard.wire import Rejection, Sealed, encode
from tests.protocol.script import PEERS, attempt, sealed

NEEDED = 3
"""One more than the largest minority of five."""


def call(seat: int, phase: str = GRADIENT, dispute: int = 0, **changes: Any) -> Sealed:
    return sealed(seat, CALL, Call(dispute, phase), **changes)


def holding(*calls: Sealed) -> Calls:
    calls_held = Calls(attempt())
    for each in calls:
        assert calls_held.add(each) is None
    return calls_held


def test_calls_of_one_more_than_the_largest_minority_begin_a_dispute() -> None:
    assert holding(call(0), call(3)).enough() == ()
    three = [call(seat) for seat in (0, 2, 3)]
    assert holding(*three).enough() == tuple(each.raw for each in three)
    assert len(holding(*three, call(4)).enough()) == NEEDED


def test_one_caller_counts_once_however_often_it_calls() -> None:
    assert holding(*[call(1)] * 5, call(1, AGGREGATE), call(2)).enough() == ()


def test_calls_of_different_phases_are_not_added_up() -> None:
    calls = holding(call(0), call(1), call(2, AGGREGATE), call(3, REVEAL))
    assert calls.enough() == ()
    calls.add(call(4))
    assert len(calls.enough()) == NEEDED


def test_calls_count_whatever_phase_their_receiver_is_in() -> None:
    """Whoever begins sends its calls on; if they counted for some receivers only, honest peers would begin
    apart. `Calls` is told of no phase of its own."""
    late = [call(seat, REVEAL) for seat in range(NEEDED)]
    assert holding(*late).enough() == tuple(each.raw for each in late)


def test_calls_for_the_next_dispute_are_kept_until_it_is_due() -> None:
    calls = holding(*[call(seat, dispute=1) for seat in range(NEEDED)])
    assert calls.enough() == ()
    calls.next(1)
    assert len(calls.enough()) == NEEDED


def test_calls_for_a_dispute_that_is_over_begin_nothing() -> None:
    calls = holding(*[call(seat) for seat in range(NEEDED)])
    calls.next(1)
    assert calls.enough() == ()
    for seat in range(NEEDED):
        assert calls.add(call(seat)) is None
    assert calls.enough() == ()


def test_calls_for_disputes_further_on_are_not_kept() -> None:
    calls = holding(*[call(seat, dispute=2) for seat in range(NEEDED)])
    calls.next(2)
    assert calls.enough() == ()


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (call(0, "lunch"), FaultKind.OUT_OF_BOUNDS),
        (call(0, step=1), FaultKind.OUT_OF_BOUNDS),
        (call(0, excluded=PEERS[4:]), FaultKind.OUT_OF_BOUNDS),
        (sealed(0, GRADIENT, Call(0, GRADIENT)), FaultKind.OUT_OF_BOUNDS),
        (
            sign(Identity.from_seed(b"\xff" * 32), attempt(), CALL, encode(Call(0, GRADIENT))),
            FaultKind.OUT_OF_BOUNDS,
        ),
        (sealed(0, CALL, b"x"), FaultKind.WRONG_TYPE),
    ],
    ids=["no phase", "another step", "another roster", "no call", "a stranger", "no payload"],
)
def test_what_is_no_call_of_the_attempt_is_refused(what: Sealed, reason: FaultKind) -> None:
    refused = Calls(attempt()).add(what)
    assert isinstance(refused, Rejection)
    assert refused.reason == reason
