"""Examiners of suspicious parts: who they are, and what follows if they lack rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from btard.crypto import digest
from btard.protocol import suspicion
from btard.protocol.messages import ACCUSE, SCALARS, VERDICT, Accusation, Vote
from btard.protocol.record import ABORT, STEP, Complaint
from btard.protocol.rules import Ending, after_phase
from tests.protocol.script import CONFIG, PEERS, ZERO, N, attempt, sets

FAR = replace(ZERO, norm=6.0, row=6.0)
"""A norm above Delta_max, in a triangle that closes."""
PART = 1
FOREIGN = {seat: {"parts": (ZERO, FAR, *[ZERO] * (N - 2))} for seat in range(3)}
"""Three of five report it of part 1."""
BENCH = suspicion.examiners(attempt(), sets(scalars=FOREIGN))[PART]


def test_only_suspicious_parts_are_examined() -> None:
    assert suspicion.examiners(attempt(), sets()) == {}
    assert set(suspicion.examiners(attempt(), sets(scalars=FOREIGN))) == {PART}


def test_examiners_are_as_many_as_the_run_says_and_never_the_aggregator() -> None:
    seating = attempt()
    drawn = [suspicion.draw_examiners(seating, digest("coin", bytes([k])), PART) for k in range(100)]
    assert {len(set(bench)) for bench in drawn} == {CONFIG.examiners}
    count = Counter(seat for bench in drawn for seat in bench)
    assert set(count) == set(range(N)) - {PART}
    assert min(count.values()) > 50, "each of four is drawn three times in four"


def test_parts_of_one_step_have_examiners_of_their_own() -> None:
    seating, coin = attempt(), digest("coin")
    assert len({suspicion.draw_examiners(seating, coin, part) for part in range(N)}) > 1


def lacking(*seats: int, **changes: dict[int, Any]) -> Any:
    said = {seat: {"unavailable": (PART,)} for seat in seats}
    return after_phase(attempt(), ACCUSE, sets(scalars=FOREIGN, accuse=said, **changes))


def test_rows_that_came_to_most_examiners_make_a_step() -> None:
    assert lacking() == Ending(STEP)
    assert lacking(BENCH[0]) == Ending(STEP)


@pytest.mark.parametrize("seats", [BENCH[:2], BENCH])
def test_rows_that_came_to_few_examiners_end_the_attempt_and_the_aggregator_s_role(
    seats: tuple[int, ...],
) -> None:
    assert lacking(*seats) == Ending(ABORT, complaints=(Complaint(PEERS[PART], PEERS[PART]),))


def test_an_accusation_is_judged_though_rows_are_lacking() -> None:
    said: dict[int, Any] = {seat: {"unavailable": (PART,)} for seat in BENCH[:2]}
    accused = next(seat for seat in range(N) if seat not in (*BENCH, PART))
    said[BENCH[2]] = {"accusations": (Accusation("row", accused, PART),)}
    table = sets(
        scalars=FOREIGN,
        accuse=said,
        verdict={voter: {"votes": (Vote((accused,), ()),)} for voter in range(N)},
    )
    assert after_phase(attempt(), ACCUSE, table) == VERDICT
    follows = after_phase(attempt(), VERDICT, table)
    assert isinstance(follows, Ending)
    assert [(r.peer, r.reason) for r in follows.removals] == [(PEERS[accused], "false scalars")]
    assert follows.complaints == (Complaint(PEERS[PART], PEERS[PART]),)


def test_who_says_that_rows_are_lacking_of_a_part_that_is_not_suspicious_is_banned() -> None:
    follows = after_phase(attempt(), ACCUSE, sets(accuse={BENCH[0]: {"unavailable": (PART,)}}))
    assert isinstance(follows, Ending)
    assert [(r.peer, r.reason) for r in follows.removals] == [(PEERS[BENCH[0]], "malformed message")]


def test_a_lie_that_everybody_sees_ends_the_attempt_at_the_scalars() -> None:
    lie = {2: {"parts": (replace(ZERO, center=1.5), *[ZERO] * (N - 1))}}
    follows = after_phase(attempt(), SCALARS, sets(scalars=lie))
    assert isinstance(follows, Ending)
    assert [(r.peer, r.kind, r.reason) for r in follows.removals] == [(PEERS[2], "ban", "false scalars")]


def test_a_tau_that_says_nothing_of_the_gradients_ends_the_run_and_no_seat() -> None:
    huge = replace(ZERO, center=1e9, row=1e9)
    table = sets(scalars={seat: {"parts": (huge,) * N} for seat in range(N)})
    follows = after_phase(attempt(), ACCUSE, table)
    assert isinstance(follows, Ending)
    assert (follows.kind, follows.removals, follows.complaints) == (ABORT, (), ())
    assert follows.stop is not None
    assert "use more than" in follows.stop
