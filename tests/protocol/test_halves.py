"""Half of an even number is no majority, wherever a majority decides.

The tests of each rule are of five peers, of whom none are half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from btard.crypto import digest
from btard.errors import LedgerError
from btard.protocol import messages
from btard.protocol.broadcast import Board, Post, set_digest
from btard.protocol.butterfly import judge_public
from btard.protocol.constants import tolerated
from btard.protocol.dispute import Decision, Final, GoOn, Remove, decide
from btard.protocol.ledger import check_entry
from btard.protocol.messages import ACCUSE, AGGREGATE, GRADIENT, RECORD, VIEW, AggregateCommitment
from btard.protocol.record import STEP, Entry
from btard.protocol.rules import Ending, after_phase
from btard.protocol.state import RosterState
from btard.protocol.suspicion import examiners
from btard.protocol.verification import suspicious_parts
from btard.protocol.view import Proof
from btard.wire import Sealed
from tests.protocol.script import CONFIG, NONE, PEERS, ZERO, N, attempt, part, said, sealed, sets
from tests.rig import Rig

FOUR = attempt(excluded=PEERS[4:])
SEATS = range(4)


def named(*voters: int, **ballot: tuple[bytes, ...]) -> Any:
    """What follows GRADIENT of four peers if these voters say this."""
    honest = [replace(said(GRADIENT, s), parts=tuple(part(s, j) for j in SEATS)) for s in SEATS]
    ballots = tuple(replace(each, **ballot) if s in voters else each for s, each in enumerate(honest))
    return after_phase(FOUR, GRADIENT, {"gradient": ballots})


@pytest.mark.parametrize("what", ["silent", "equivocal"])
def test_half_of_the_peers_name_nobody(what: str) -> None:
    assert named(0, 1, **{what: (PEERS[3],)}) == AGGREGATE
    assert isinstance(named(0, 1, 2, **{what: (PEERS[3],)}), Ending)


def test_a_row_that_half_of_the_peers_lack_is_withheld() -> None:
    has = AggregateCommitment(NONE, digest("blob"), ())
    lacks = AggregateCommitment(NONE, NONE, (3,))
    assert judge_public([has, has, lacks, lacks], 0) == {3: "withheld part"}
    assert judge_public([has, has, has, lacks], 0) == {}


# ---------------------------------------------------------------- disputes of four peers

HELD = [sealed(s, GRADIENT, said(GRADIENT, s), excluded=PEERS[4:]) for s in SEATS]


def board(*more: Sealed) -> Board:
    made = Board(FOUR)
    for each in (*HELD, *more):
        post = made.read(each)
        assert isinstance(post, Post)
        made.add(post)
    return made


def decided(proofs: Sequence[Proof | None]) -> Decision:
    one = sealed(0, VIEW, messages.View(0, (), ()), excluded=PEERS[4:])
    views = [() if proof is None else (one,) for proof in proofs]
    return decide(FOUR, views, proofs, lambda completed, posts: AGGREGATE, (GRADIENT,))


def voting(*seats: int) -> Board:
    """All of GRADIENT, and the votes of these seats for one record."""
    bare = board()
    held = set_digest(GRADIENT, [bare.posts[GRADIENT][s] for s in SEATS])
    vote = messages.RecordVote(held, digest("record"))
    return board(*(sealed(s, RECORD, vote, excluded=PEERS[4:]) for s in seats))


def test_half_of_the_votes_make_no_record_final() -> None:
    assert not isinstance(decided([Proof((GRADIENT,), voting(0, 1))] * 4), Final)
    assert isinstance(decided([Proof((GRADIENT,), voting(0, 1, 2))] * 4), Final)


def test_half_of_the_peers_remove_nobody_for_a_view_that_is_missing() -> None:
    proof = Proof((GRADIENT,), board())
    assert isinstance(decided([proof, proof, None, None]), GoOn)
    assert isinstance(decided([proof, proof, proof, None]), Remove)


def test_half_of_the_peers_remove_nobody_for_a_message_that_is_missing() -> None:
    nothing = messages.AggregateCommitment(
        set_digest(GRADIENT, list(board().posts[GRADIENT].values())), NONE, ()
    )
    spoken = [sealed(s, AGGREGATE, nothing, excluded=PEERS[4:]) for s in SEATS]
    assert isinstance(decided([Proof((GRADIENT,), board(*spoken[:2]))] * 4), GoOn)
    assert isinstance(decided([Proof((GRADIENT,), board(*spoken[:3]))] * 4), Remove)


# ---------------------------------------------------------------- examinations

FAR = replace(ZERO, norm=6.0, row=6.0)


def test_norms_that_half_of_the_peers_report_make_no_part_suspicious() -> None:
    table = [[FAR], [FAR], [ZERO], [ZERO]]
    assert suspicious_parts(table, CONFIG) == ()
    assert suspicious_parts([*table[:3], [FAR]], CONFIG) == (0,)


def test_rows_that_half_of_the_examiners_lack_relieve_nobody() -> None:
    two = attempt(config=replace(CONFIG, examiners=2))
    foreign = {seat: {"parts": (FAR, *[ZERO] * (N - 1))} for seat in range(3)}
    bench = examiners(two, sets(scalars=foreign))[0]
    assert len(bench) == 2
    lacking = [
        after_phase(two, ACCUSE, sets(scalars=foreign, accuse={s: {"unavailable": (0,)} for s in seats}))
        for seats in (bench[:1], bench)
    ]
    assert [end.kind == STEP for end in lacking if isinstance(end, Ending)] == [True, False]


# ---------------------------------------------------------------- rosters and records


@cache
def written_down() -> tuple[RosterState, Entry]:
    """A run of four peers, and its first record."""
    rig = Rig(4, 1).run()
    return rig.genesis, rig.honest[0].entries[0]


def test_the_signatures_of_half_of_the_peers_certify_nothing() -> None:
    genesis, entry = written_down()
    check_entry(genesis, replace(entry, certificate=entry.certificate[:3]))
    with pytest.raises(LedgerError, match="2 of 4 participants signed it"):
        check_entry(genesis, replace(entry, certificate=entry.certificate[:2]))


def test_fewer_than_half_are_tolerated() -> None:
    assert [tolerated(peers) for peers in range(1, 9)] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_half_of_the_members_do_not_go_on() -> None:
    assert not attempt(members=PEERS[:4], excluded=PEERS[2:4]).state.has_majority
    assert attempt(members=PEERS[:4], excluded=PEERS[3:4]).state.has_majority
