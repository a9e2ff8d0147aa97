"""What a dispute ends in: each rule, on views that peers really sign."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import digest
from btard.protocol import messages
from btard.protocol.broadcast import Post, set_digest
from btard.protocol.dispute import Decision, Final, GoOn, Halt, Remove, decide
from btard.protocol.messages import AGGREGATE, GRADIENT, RECORD, REVEAL, SCALARS, VIEW
from btard.protocol.record import ABORT, BAN, LEAVE, MISS
from btard.protocol.rules import Ending, after_phase
from btard.protocol.view import read_view
from btard.wire import Rejection, Sealed, encode, open_sealed
from tests.protocol.script import PEERS, N, attempt, post, said, sealed, sets
from tests.protocol.strategies import slow

ATTEMPT = attempt()
R, OTHER = digest("record", b"ours"), digest("record", b"another")


def posts(phase: str, held: bytes = bytes(32), seats: Sequence[int] = range(N)) -> list[Post]:
    """What honest peers said in a phase."""
    first = ATTEMPT.state.head if phase == GRADIENT else held
    return [post(seat, phase, replace(said(phase, seat), previous_set=first)) for seat in seats]


def set_of(phase: str, held: bytes = bytes(32)) -> bytes:
    return set_digest(phase, posts(phase, held))


def votes(record: bytes, held: bytes, seats: Sequence[int]) -> list[Post]:
    return [post(seat, RECORD, messages.RecordVote(held, record)) for seat in seats]


def view(seat: int, trail: tuple[str, ...], *groups: list[Post]) -> tuple[Sealed, ...]:
    """The one view that this seat signed."""
    raws = tuple(each.sealed.raw for group in groups for each in group)
    return (sealed(seat, VIEW, messages.View(0, trail, raws)),)


def next_phase(completed: str, agreed: dict[int, Post]) -> str | Ending:
    if not completed:
        return GRADIENT
    payloads = tuple(agreed[seat].payload for seat in range(N))
    return after_phase(ATTEMPT, completed, {**sets(), completed: payloads})


def decided(
    views: Sequence[tuple[Sealed, ...]], lenient_used: Collection[str] = (), ending: bool = False
) -> Decision:
    """What the views decide; with `ending`, the phases end with what is proven, and the votes follow."""
    proofs = [read_view(ATTEMPT, each[0]) if len(each) == 1 else None for each in views]
    following = (lambda completed, posts: Ending(ABORT)) if ending else next_phase
    return decide(ATTEMPT, views, proofs, following, lenient_used)


def removed(decision: Decision) -> list[tuple[int, str, str]]:
    assert isinstance(decision, Remove)
    return [(PEERS.index(r.peer), r.kind, r.reason) for r in decision.removals]


GRADIENTS = posts(GRADIENT)
G = set_of(GRADIENT)


def collecting(*seats: int) -> list[tuple[Sealed, ...]]:
    """All have completed GRADIENT; of AGGREGATE these seats have spoken."""
    return [view(s, (GRADIENT,), GRADIENTS, posts(AGGREGATE, G, seats)) for s in range(N)]


# ---------------------------------------------------------------- 1: votes


@pytest.mark.parametrize("present", [range(N), range(3), (0, 2, 4)])
def test_a_record_that_most_voted_for_is_final(present: Sequence[int]) -> None:
    cast = votes(R, G, present)
    decision = decided([view(s, (GRADIENT,), GRADIENTS, cast) for s in range(N)])
    assert isinstance(decision, Final)
    assert (decision.record, decision.completed) == (R, GRADIENT)
    assert sorted(decision.votes) == list(present)
    assert decision.silent == tuple(s for s in range(N) if s not in present)


@given(st.data())
def test_a_record_that_ended_the_fast_path_anywhere_is_final_in_any_dispute(data: st.DataObject) -> None:
    """All honest peers voted for it, so their own votes are in their views, whatever Byzantine ones show."""
    byzantine = data.draw(st.sets(st.integers(0, N - 1), max_size=2))
    honest = [s for s in range(N) if s not in byzantine]
    views: list[tuple[Sealed, ...]] = []
    for seat in range(N):
        if seat in honest:
            seen = sorted({seat, *data.draw(st.sets(st.sampled_from(range(N))))})
            views.append(view(seat, (GRADIENT,), GRADIENTS, votes(R, G, seen)))
        else:
            lie = data.draw(st.sampled_from(["silent", "two", "other", "early"]))
            other = view(seat, (GRADIENT,), GRADIENTS, votes(OTHER, G, [seat]))
            early = view(seat, (), GRADIENTS)
            views.append({"silent": (), "two": other + early, "other": other, "early": early}[lie])
    decision = decided(views, data.draw(st.sampled_from([(), (GRADIENT,)])))
    assert isinstance(decision, Final)
    assert decision.record == R
    assert set(honest) <= set(decision.votes)
    assert not {*decision.silent, *decision.equivocal} & set(honest)


def test_half_of_the_votes_are_not_final() -> None:
    cast = votes(R, G, [0, 1]) + votes(OTHER, G, [2, 3])
    decision = decided([view(s, (GRADIENT,), GRADIENTS, cast) for s in range(N)], (GRADIENT,))
    assert not isinstance(decision, Final)


def test_whoever_voted_twice_is_named_with_the_final_record() -> None:
    cast = votes(R, G, range(4))
    views = [view(s, (GRADIENT,), GRADIENTS, cast, votes(OTHER, G, [3])) for s in range(N)]
    decision = decided(views)
    assert isinstance(decision, Final)
    assert (decision.silent, decision.equivocal) == ((4,), (3,))


# ---------------------------------------------------------------- 2: evidence, and silence


def test_two_messages_in_one_slot_are_a_ban() -> None:
    other = [post(1, AGGREGATE, b"x")]
    views = collecting(*range(N))
    views[0] = view(0, (GRADIENT,), GRADIENTS, posts(AGGREGATE, G, [0, 2, 3, 4]), other)
    assert removed(decided(views)) == [(1, BAN, "equivocation")]


def test_a_second_message_that_one_peer_alone_saw_is_a_ban_long_after_its_phase() -> None:
    views = collecting(*range(N))
    views[4] = view(4, (GRADIENT,), GRADIENTS, posts(AGGREGATE, G), [post(1, GRADIENT, b"x")])
    assert removed(decided(views)) == [(1, BAN, "equivocation")]


def test_two_views_of_one_author_are_a_ban() -> None:
    views = collecting(*range(N))
    views[2] = views[2] + view(2, (), GRADIENTS)
    assert removed(decided(views)) == [(2, BAN, "equivocation")]


@pytest.mark.parametrize(
    ("trail", "kind"), [((GRADIENT,), MISS), ((GRADIENT, AGGREGATE), LEAVE)], ids=["before", "after the coin"]
)
def test_whoever_gives_no_view_misses_the_step_or_leaves_once_it_saw_the_coin(
    trail: tuple[str, ...], kind: str
) -> None:
    phase = trail[-1]
    views = [view(s, trail, posts(phase, G if phase == AGGREGATE else bytes(32))) for s in range(N)]
    views[3] = ()
    assert [(seat, k) for seat, k, _ in removed(decided(views))] == [(3, kind)]


def test_where_nobody_proves_anything_all_wait() -> None:
    assert decided([()] * N, ("", GRADIENT)) == GoOn("", {}, {})


@pytest.mark.parametrize("silent", [2, 3])
def test_who_gives_no_view_is_removed_only_where_most_give_one(silent: int) -> None:
    views = [view(s, (), posts(GRADIENT)) for s in range(N - silent)] + [()] * silent
    decision = decided(views)
    assert isinstance(decision, Remove if silent == 2 else GoOn)


def test_equivocation_is_a_ban_even_where_most_give_no_view() -> None:
    views = [
        view(0, (), posts(GRADIENT)),
        view(1, (), posts(GRADIENT), [post(2, GRADIENT, b"x")]),
        (),
        (),
        (),
    ]
    assert removed(decided(views)) == [(2, BAN, "equivocation")]


# ---------------------------------------------------------------- 3: false digests


def test_a_message_that_holds_a_set_that_does_not_exist_is_a_ban() -> None:
    false = [post(2, AGGREGATE, replace(said(AGGREGATE, 2), previous_set=digest("nothing")))]
    views = [view(s, (GRADIENT,), GRADIENTS, posts(AGGREGATE, G, [0, 1, 3, 4]), false) for s in range(N)]
    assert removed(decided(views)) == [(2, BAN, "false digest")]


# ---------------------------------------------------------------- 4, 5, 6: going on, once leniently


def test_messages_that_some_lack_and_the_views_hold_bring_everybody_on() -> None:
    views = collecting(0, 1, 2)
    views[4] = view(4, (GRADIENT,), GRADIENTS, posts(AGGREGATE, G, [2, 3, 4]))
    decision = decided(views, (GRADIENT,))
    assert isinstance(decision, GoOn)
    assert decision.completed == GRADIENT
    assert sorted(decision.following) == list(range(N))


def test_the_furthest_phase_that_a_view_proves_counts() -> None:
    views = [view(s, (), posts(GRADIENT, seats=[s])) for s in range(N)]
    views[3] = view(3, (GRADIENT,), GRADIENTS)
    decision = decided(views)
    assert isinstance(decision, GoOn)
    assert (decision.completed, sorted(decision.posts)) == (GRADIENT, list(range(N)))


def test_the_first_dispute_of_a_phase_gives_time_and_the_second_removes_the_missing() -> None:
    views = collecting(0, 1, 2, 4)
    assert isinstance(decided(views), GoOn)
    assert removed(decided(views, (GRADIENT,))) == [(3, MISS, "silent in phase aggregate")]


def test_whoever_is_missing_between_reveal_and_verdict_leaves() -> None:
    aggregates = posts(AGGREGATE, G)
    held = set_digest(AGGREGATE, aggregates)
    views = [view(s, (GRADIENT, AGGREGATE), aggregates, posts(REVEAL, held, [0, 1, 2, 3])) for s in range(N)]
    assert removed(decided(views, (AGGREGATE,))) == [(4, LEAVE, "silent in phase reveal")]


@pytest.mark.parametrize("speakers", [0, 1, 2])
def test_where_most_have_not_spoken_everybody_waits_however_often(speakers: int) -> None:
    decision = decided(collecting(*range(speakers)), (GRADIENT,))
    assert isinstance(decision, GoOn)
    assert sorted(decision.following) == list(range(speakers))


def test_where_most_have_spoken_the_others_miss_the_step() -> None:
    assert [seat for seat, _, _ in removed(decided(collecting(0, 2, 4), (GRADIENT,)))] == [1, 3]


@pytest.mark.parametrize("lasts", [0, 1, 2])
def test_votes_that_no_record_can_win_end_the_run_and_others_are_waited_for(lasts: int) -> None:
    third = digest("record", b"a third")
    cast = votes(R, G, [0, 1]) + votes(OTHER, G, [2, 3]) + votes([third, R, R][lasts], G, [4][: 2 - lasts])
    decision = decided([view(s, (GRADIENT,), GRADIENTS, cast) for s in range(N)], ending=True)
    assert isinstance(decision, (Halt, Final, GoOn)[lasts])


# ---------------------------------------------------------------- views that prove nothing


def other(seat: int, words: bytes = b"x") -> list[Post]:
    """A second message of a slot."""
    return [post(seat, GRADIENT, words)]


def unproven() -> dict[str, Sealed]:
    return {
        "a phase that is not full": view(0, (GRADIENT,), GRADIENTS[:4])[0],
        "a phase without any message": view(0, (GRADIENT, AGGREGATE), GRADIENTS)[0],
        "phases out of order": view(0, (AGGREGATE, GRADIENT), GRADIENTS)[0],
        "a phase twice": view(0, (GRADIENT, GRADIENT), GRADIENTS)[0],
        "no phase of this protocol": view(0, ("lunch",), GRADIENTS)[0],
        "the votes as a completed phase": view(0, (RECORD,), votes(R, G, range(N)))[0],
        "messages that hold different sets": view(
            0, (AGGREGATE,), posts(AGGREGATE, G, range(4)), posts(AGGREGATE, R, [4])
        )[0],
        "bytes that nobody signed": sealed(0, VIEW, messages.View(0, (), (b"x",))),
        "a message of another roster": sealed(
            0, VIEW, messages.View(0, (), (sealed(1, GRADIENT, b"x", excluded=PEERS[4:]).raw,))
        ),
        "no view at all": sealed(0, VIEW, b"x"),
        "one message twice": view(0, (GRADIENT,), GRADIENTS, GRADIENTS[:1])[0],
        "two pairs of evidence": view(0, (GRADIENT,), GRADIENTS, other(1), other(2))[0],
        "three messages of one slot": view(0, (GRADIENT,), GRADIENTS, other(1), other(1, b"y"))[0],
        "messages of three phases": view(0, (GRADIENT,), GRADIENTS, posts(AGGREGATE), posts(REVEAL))[0],
        "one message of a third phase": view(
            0, (GRADIENT,), GRADIENTS, posts(AGGREGATE)[:1], posts(REVEAL)[:1]
        )[0],
        "messages of a phase before": view(0, (AGGREGATE,), posts(AGGREGATE), GRADIENTS)[0],
    }


@pytest.mark.parametrize("what", list(unproven()))
def test_a_view_that_no_honest_peer_signs_proves_nothing_and_costs_its_author_the_step(what: str) -> None:
    assert read_view(ATTEMPT, unproven()[what]) is None
    views = collecting(*range(N))
    views[0] = (unproven()[what],)
    assert [seat for seat, _, _ in removed(decided(views))] == [0]


@given(slow[messages.View])
def test_no_view_whatever_it_says_is_more_than_nothing_without_messages(nonsense: Any) -> None:
    proof = read_view(ATTEMPT, sealed(0, VIEW, encode(nonsense)))
    assert proof is None or proof.trail == () or nonsense.messages == ()


def test_a_view_keeps_one_pair_of_evidence_of_any_phase() -> None:
    pair = [post(2, SCALARS, b"x"), post(2, SCALARS, b"y")]
    proof = read_view(ATTEMPT, view(0, (GRADIENT,), GRADIENTS, posts(AGGREGATE), pair)[0])
    assert proof is not None
    assert (proof.completed, proof.rank) == (GRADIENT, 0)
    assert list(proof.board.conflicts) == [(SCALARS, 2)]
    assert len(proof.board.all_posts()) == 2 * N + 2


def signed_again(seat: int) -> bytes:
    """The same words under a signature that does not hold."""
    raw = bytearray(GRADIENTS[seat].sealed.raw)
    raw[-1] ^= 1
    return bytes(raw)


def test_what_a_view_proves_does_not_depend_on_what_its_reader_holds() -> None:
    forged = sealed(0, VIEW, messages.View(0, (), (signed_again(1),)))
    known = {each.sealed.raw: each for each in GRADIENTS}
    assert read_view(ATTEMPT, forged, known) is None
    good = view(0, (GRADIENT,), GRADIENTS)[0]
    alone, told = read_view(ATTEMPT, good), read_view(ATTEMPT, good, known)
    assert alone is not None
    assert told is not None
    assert alone.board.posts == told.board.posts


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bytes whose signatures are checked."""
    found: list[bytes] = []

    def count(raw: bytes) -> Sealed | Rejection:
        found.append(raw)
        return open_sealed(raw)

    monkeypatch.setattr("btard.protocol.view.open_sealed", count)
    return found


def test_no_signature_is_checked_of_a_view_with_two_messages_too_many(checked: list[bytes]) -> None:
    many = tuple(signed_again(1)[:-1] + bytes([k]) for k in range(2 * N + 2))
    assert read_view(ATTEMPT, sealed(0, VIEW, messages.View(0, (), many))) is None
    assert checked == []


def test_the_first_false_signature_in_a_view_is_the_last_that_is_checked(checked: list[bytes]) -> None:
    raws = tuple(signed_again(seat) for seat in range(N))
    assert read_view(ATTEMPT, sealed(0, VIEW, messages.View(0, (), raws))) is None
    assert len(checked) == 1


def test_messages_that_the_reader_holds_are_not_verified_again(checked: list[bytes]) -> None:
    known = {each.sealed.raw: each for each in GRADIENTS}
    assert read_view(ATTEMPT, view(0, (GRADIENT,), GRADIENTS, posts(AGGREGATE))[0], known) is not None
    assert len(checked) == N
