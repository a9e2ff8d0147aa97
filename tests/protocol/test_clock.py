"""The deadlines of a phase: when to ask, to report, to call, and to call again."""

from __future__ import annotations

import pytest

from btard.protocol.clock import Clock
from btard.protocol.constants import SLACK_ROUNDS
from btard.protocol.duties import Due
from btard.protocol.messages import AGGREGATE, GRADIENT, SCALARS
from tests.protocol.script import CONFIG, attempt

ENTERED = 100.0
LIMIT, PHASE = CONFIG.gradient_s, CONFIG.phase_s


def clock() -> Clock:
    return Clock(attempt().state, GRADIENT, ENTERED)


@pytest.mark.parametrize(
    ("after_s", "due"),
    [
        (0.0, Due.WORKING),
        (PHASE / 4 - 0.1, Due.WORKING),
        (PHASE / 4, Due.ASKING),
        (LIMIT - 0.1, Due.ASKING),
        (LIMIT, Due.LATE),
        (LIMIT + 2 * CONFIG.delta_s - 0.1, Due.LATE),
        (LIMIT + 2 * CONFIG.delta_s, Due.OVERDUE),
        (LIMIT + 99.0, Due.OVERDUE),
    ],
)
def test_what_is_lacking_is_asked_for_early_and_reported_at_the_soft_deadline(
    after_s: float, due: Due
) -> None:
    assert clock().due(ENTERED + after_s) is due


def test_a_peer_asks_three_times_then_calls_and_goes_on_calling() -> None:
    made, found = clock(), []
    for _ in range(6):
        at = made.deadline - ENTERED
        found.append((at, made.pass_deadline()))
    hard = LIMIT + SLACK_ROUNDS * CONFIG.delta_s
    assert found == [
        (PHASE / 4, False),
        (LIMIT, False),
        (LIMIT + 2 * CONFIG.delta_s, False),
        (hard, True),
        (hard + PHASE, True),
        (hard + 2 * PHASE, True),
    ]


def test_a_phase_that_begins_again_has_all_its_deadlines_again() -> None:
    made = clock()
    for _ in range(5):
        made.pass_deadline()
    made.begin(SCALARS, 0, ENTERED + 50.0)
    assert made.deadline == ENTERED + 50.0 + PHASE / 4
    assert made.soft == ENTERED + 50.0 + PHASE
    assert not made.pass_deadline()
    assert made.waited(ENTERED + 53.0) == 3.0


def test_a_phase_in_which_gradients_are_computed_has_time_for_them() -> None:
    made = clock()
    made.begin(SCALARS, 2, ENTERED)
    assert made.soft == ENTERED + PHASE + 2 * CONFIG.gradient_s
    assert made.deadline == ENTERED + PHASE / 4, "and what is lacking is asked for as early"


def test_an_aggregator_complains_of_many_once_those_that_began_last_are_late_and_is_waited_for() -> None:
    made = clock()
    made.begin(AGGREGATE, 0, ENTERED)
    skew = PHASE / 4  # how far apart GRADIENT ends
    delta = CONFIG.delta_s
    assert made.soft == ENTERED + PHASE
    assert made.due(made.soft + skew + 2 * delta - 0.1) is Due.LATE
    assert made.due(made.soft + skew + 2 * delta) is Due.OVERDUE
    assert made.hard == made.soft + 2 * skew + (2 + SLACK_ROUNDS) * delta
