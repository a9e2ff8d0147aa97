"""Seats of the first roster: who gets one, under each admission."""

from __future__ import annotations

from btard.crypto import Identity
from btard.network.entrance import Refusal
from btard.node.seats import Seats
from btard.run.admission import Invite, Open, allowing
from btard.run.invitation import Invitation
from tests.node.nodes import a_plan

BOOTSTRAP, OTHER = (Identity.from_seed(bytes([k]) * 32) for k in (1, 2))
A, B, C, D, E = (Identity.from_seed(bytes([k]) * 32).peer for k in range(3, 8))
HERE, THERE = "192.0.2.1", "192.0.2.2"
NOW = 1000.0


def seats(admission: object, peers: int = 3, nonce: int = 0) -> Seats:
    plan = a_plan(peers=peers).model_copy(update={"admission": admission})
    return Seats(plan.begin(bytes([nonce]) * 32), BOOTSTRAP.peer)


def token(number: int, by: Identity = BOOTSTRAP, until: int = 1000, nonce: int = 0) -> str:
    run = a_plan(peers=3).model_copy(update={"admission": Invite()}).begin(bytes([nonce]) * 32)
    return Invitation.issue(by, run.digest, bytes([number]) * 16, until).text


def test_an_open_run_gives_seats_to_those_who_come_first_until_all_are_taken() -> None:
    room = seats(Open(per_address=9))
    assert [room.ask(peer, HERE, None, NOW) for peer in (A, B, C, D)] == [None, None, None, Refusal.FULL]
    assert room.ask(A, HERE, None, NOW) is None, "a peer keeps its seat"
    room.leave(B)
    room.leave(B)
    assert room.ask(D, HERE, None, NOW) is None
    assert set(room.taken) == {A, C, D}


def test_one_address_gets_no_more_seats_of_an_open_run_than_its_own() -> None:
    room = seats(Open(per_address=1))
    assert room.ask(A, HERE, None, NOW) is None
    assert room.ask(B, HERE, None, NOW) is Refusal.ADDRESS_FULL
    assert room.ask(A, HERE, None, NOW) is None
    assert room.ask(A, THERE, None, NOW) is None, "it has moved"
    assert room.ask(B, THERE, None, NOW) is Refusal.ADDRESS_FULL
    assert room.ask(B, HERE, None, NOW) is None
    room.leave(A)
    assert room.ask(C, THERE, None, NOW) is None


def test_a_list_admits_its_keys_alone_from_any_address() -> None:
    room = seats(allowing((A, B, C, D)))
    assert [room.ask(peer, HERE, None, NOW) for peer in (A, E, B, C, D)] == [
        *(None, Refusal.NOT_LISTED, None, None, Refusal.FULL)
    ]


def test_an_invitation_is_a_seat_for_the_first_key_that_shows_it() -> None:
    room = seats(Invite())
    assert room.ask(A, HERE, None, NOW) is Refusal.UNINVITED
    assert room.ask(A, HERE, token(1), NOW) is None
    assert room.ask(B, HERE, token(1), NOW) is Refusal.USED_INVITATION
    room.leave(A)
    assert room.ask(B, HERE, token(1), NOW) is Refusal.USED_INVITATION, "it remains its owner's"
    assert room.ask(A, HERE, token(1), NOW + 1) is Refusal.EXPIRED_INVITATION
    assert room.ask(B, HERE, token(2), NOW) is None


def test_an_invitation_of_another_run_or_key_is_false_and_takes_nothing() -> None:
    room = seats(Invite())
    for false in ("", "junk", token(1, by=OTHER), token(1, nonce=1)):
        assert room.ask(B, HERE, false, NOW) is Refusal.FALSE_INVITATION
    assert room.ask(A, HERE, token(1), NOW) is None


def test_a_thief_without_time_left_does_not_take_an_invitation_away() -> None:
    room = seats(Invite())
    assert room.ask(B, HERE, token(1), NOW + 1) is Refusal.EXPIRED_INVITATION
    assert room.ask(A, HERE, token(1), NOW) is None
