"""Each kind of case, how an honest voter judges it, and what the votes decide."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.machine import Recomputed
from btard.protocol import accusation
from btard.protocol.accusation import FINGERPRINT, GRADIENT, ROW, Case, cases, is_impossible, tally
from btard.protocol.messages import Accusation, PartScalars, Vote
from btard.types import Scalars
from tests.protocol.script import CONFIG, PEERS, TARGET, VALIDATOR, N, sets
from tests.protocol.script import FINGERPRINT as PRINT

PAIRS = ((VALIDATOR, TARGET),)
TRUE = Scalars((0.25, 0.0), 0.5, 1.0, 1.0)
SAID = PartScalars((0.25, 0.0), 0.5, 1.0, 1.0)
OWNERS = tuple(range(N))
LIE = replace(SAID, norm=0.6)


def test_accusations_and_fingerprints_make_cases_in_one_order() -> None:
    other = replace(PRINT, norm=3.0)
    rows = (Accusation(ROW, 2, 4), Accusation(ROW, 0, 1))
    table = sets(accuse={4: {"accusations": rows}, TARGET: {"fingerprint": other}})
    assert cases(PAIRS, table["accuse"], CONFIG) == (
        Case(FINGERPRINT, VALIDATOR, TARGET),
        Case(ROW, 4, 0, 1),
        Case(ROW, 4, 2, 4),
    )


def test_honest_peers_give_no_cause_for_a_case() -> None:
    table = sets()
    assert cases(PAIRS, table["accuse"], CONFIG) == ()
    assert accusation.false_openings(PEERS, PAIRS, table["scalars"], table["accuse"]) == ()
    assert accusation.baseless(N, PAIRS, OWNERS, {}, table["accuse"]) == ()


EXAMINERS = {1: (0, 2)}
"""Part 1 is suspicious, and seats 0 and 2 examine it."""


@pytest.mark.parametrize(
    ("accuser", "said"),
    [
        (2, Accusation(GRADIENT, TARGET, 0)),
        (VALIDATOR, Accusation(GRADIENT, 2, 0)),
        (VALIDATOR, Accusation(GRADIENT, TARGET, 1)),
        (TARGET, Accusation(GRADIENT, VALIDATOR, 0)),
        (2, Accusation(ROW, 2, 2)),
        (2, Accusation(ROW, N, 2)),
        (2, Accusation(ROW, 0, 3)),
        (2, Accusation(ROW, 0, 255)),
        (3, Accusation(ROW, 0, 1)),
        (2, Accusation("averaging", 0, 2)),
    ],
)
def test_whoever_accuses_without_standing_is_found(accuser: int, said: Accusation) -> None:
    table = sets(accuse={accuser: {"accusations": (said,)}})
    assert accusation.baseless(N, PAIRS, OWNERS, EXAMINERS, table["accuse"]) == (accuser,)


def test_validators_aggregators_and_examiners_may_accuse() -> None:
    said = {
        VALIDATOR: {"accusations": (Accusation(GRADIENT, TARGET, 0), Accusation(ROW, 0, VALIDATOR))},
        2: {"accusations": (Accusation(ROW, 4, 1), Accusation(ROW, 3, 2))},
    }
    assert accusation.baseless(N, PAIRS, OWNERS, EXAMINERS, sets(accuse=said)["accuse"]) == ()


def test_one_accusation_of_a_row_ends_a_seat_so_a_second_one_is_baseless() -> None:
    twice = {2: {"accusations": (Accusation(ROW, 4, 1), Accusation(ROW, 4, 2))}}
    assert accusation.baseless(N, PAIRS, OWNERS, EXAMINERS, sets(accuse=twice)["accuse"]) == (2,)


@pytest.mark.parametrize(
    ("seat", "parts", "found"),
    [(0, (1,), ()), (2, (1,), ()), (3, (1,), (3,)), (0, (0,), (0,)), (0, (1, 1), (0,)), (0, (255,), (0,))],
)
def test_only_the_examiners_of_a_suspicious_part_may_lack_its_rows(
    seat: int, parts: tuple[int, ...], found: tuple[int, ...]
) -> None:
    table = sets(accuse={seat: {"unavailable": parts}})
    assert accusation.baseless(N, PAIRS, OWNERS, EXAMINERS, table["accuse"]) == found


def test_only_members_of_pairs_owe_an_opening() -> None:
    silent = {seat: {"fingerprint": None} for seat in range(N)}
    table = sets(accuse=silent)
    assert accusation.false_openings(PEERS, PAIRS, table["scalars"], table["accuse"]) == (VALIDATOR, TARGET)


def test_a_fingerprint_copied_from_the_other_does_not_open_ones_own_commitment() -> None:
    table = sets()
    copied = list(table["scalars"])
    copied[VALIDATOR] = replace(copied[VALIDATOR], fingerprint=copied[TARGET].fingerprint)
    accuse = list(table["accuse"])
    accuse[VALIDATOR] = replace(accuse[VALIDATOR], salt=accuse[TARGET].salt)
    assert accusation.false_openings(PEERS, PAIRS, copied, accuse) == (VALIDATOR,)


# ---------------------------------------------------------------- how an honest voter judges


def test_a_row_convicts_the_target_that_lied_or_the_accuser_that_did() -> None:
    case = Case(ROW, 2, 0)
    assert accusation.judge_row(case, LIE, TRUE, 1.0) == Vote((0,), ())
    assert accusation.judge_row(case, SAID, TRUE, 1.0) == Vote((2,), ())
    assert accusation.judge_row(case, LIE, None, 1.0) == Vote((), (2,))


def test_a_gradient_convicts_the_target_that_lied_or_the_validator_that_did() -> None:
    case = Case(GRADIENT, VALIDATOR, TARGET)
    assert accusation.judge_gradient(case, [LIE], Recomputed((TRUE,), 0.5), CONFIG) == Vote((TARGET,), ())
    assert accusation.judge_gradient(case, [SAID], Recomputed((TRUE,), 0.5), CONFIG) == Vote((VALIDATOR,), ())


@pytest.mark.parametrize("liars", [(), (VALIDATOR,), (TARGET,), (VALIDATOR, TARGET)])
def test_a_fingerprint_convicts_whoever_did_not_compute_it(liars: tuple[int, ...]) -> None:
    table = sets(accuse={seat: {"fingerprint": replace(PRINT, norm=9.0)} for seat in liars})
    true = Scalars(PRINT.projections, PRINT.norm)
    vote = accusation.judge_fingerprint(Case(FINGERPRINT, VALIDATOR, TARGET), table["accuse"], true, CONFIG)
    assert vote == Vote(tuple(sorted(liars)), ())


@pytest.mark.parametrize(
    ("kind", "vote", "impossible"),
    [
        (ROW, Vote((0,), ()), False),
        (ROW, Vote((), (2,)), False),
        (ROW, Vote((), (0,)), True),
        (ROW, Vote((1,), ()), True),
        (GRADIENT, Vote((), (2,)), True),
        (FINGERPRINT, Vote((0, 2), ()), False),
        (FINGERPRINT, Vote((), ()), False),
    ],
)
def test_a_vote_names_only_the_ends_of_its_case(kind: str, vote: Vote, impossible: bool) -> None:
    assert is_impossible(vote, Case(kind, 2, 0)) == impossible


# ---------------------------------------------------------------- what the votes decide


def votes(*each: Vote) -> list[tuple[Vote, ...]]:
    return [(vote,) for vote in each]


A, T, MISSING, NOBODY = Vote((2,), ()), Vote((0,), ()), Vote((), (2,)), Vote((), ())


@pytest.mark.parametrize(
    ("ballots", "bans", "leaves"),
    [
        ((T, T, T, A, A), {0: "false scalars"}, {}),
        ((A, A, A, T, T), {2: "false accusation"}, {}),
        ((A, A, MISSING, T, T), {}, {2: "withheld evidence"}),
        ((MISSING, MISSING, MISSING, T, T), {}, {2: "withheld evidence"}),
        ((A, A, T, T, NOBODY), {}, {0: "withheld evidence", 2: "withheld evidence"}),
        ((A, A, T, T), {}, {0: "withheld evidence", 2: "withheld evidence"}),
    ],
    ids=["guilty", "false accusation", "split evidence", "withheld", "no majority", "half"],
)
def test_every_accusation_ends_a_seat(
    ballots: tuple[Vote, ...], bans: dict[int, str], leaves: dict[int, str]
) -> None:
    assert tally([Case(ROW, 2, 0)], votes(*ballots)) == (bans, leaves)


def test_naming_a_seat_twice_counts_once() -> None:
    twice = Vote((0, 0, 0), ())
    bans, _ = tally([Case(FINGERPRINT, 1, 0)], votes(twice, twice, NOBODY, NOBODY, NOBODY))
    assert bans == {}


@pytest.mark.parametrize(
    ("kind", "accuser", "target"),
    [
        (ROW, "false accusation", "false scalars"),
        (GRADIENT, "false accusation", "false gradient"),
        (FINGERPRINT, "false validation", "false fingerprint"),
    ],
)
def test_reasons_name_what_the_seat_did(kind: str, accuser: str, target: str) -> None:
    both = Vote((0, 2), ())
    bans, _ = tally([Case(kind, 2, 0)], votes(both, both, both))
    assert bans == {0: target, 2: accuser}


anything = st.builds(
    Vote, st.lists(st.integers(0, N - 1)).map(tuple), st.lists(st.integers(0, N - 1)).map(tuple)
)


@given(st.sampled_from([ROW, GRADIENT, FINGERPRINT]), st.lists(anything, min_size=2, max_size=2))
def test_a_minority_of_votes_cannot_end_the_seat_of_a_peer_that_the_majority_clears(
    kind: str, byzantine: list[Vote]
) -> None:
    found = [Case(kind, 2, 0)]
    bans, leaves = tally(found, votes(A, A, A, *byzantine))
    assert set(bans) == {2}
    assert leaves == {}
