"""How a dispute begins at a peer, what it sends then, and what views cost before it does."""

from __future__ import annotations

from typing import Any

import pytest

from btard.machine import Actions
from btard.protocol import messages
from btard.protocol.agreed import Agreed
from btard.protocol.broadcast import Board
from btard.protocol.messages import AGGREGATE, CALL, GRADIENT, VIEW, Call, View, ViewRelay, view_bytes_max
from btard.protocol.slow_path import SlowPath
from btard.types import FaultKind
from btard.wire import Rejection, Sealed, decode, open_sealed
from tests.protocol.script import CONFIG, KEYS, PEERS, N, attempt, post, said, sealed

ME, OTHER = 0, 4


class Disputing:
    """The slow path of seat 0, that has heard of GRADIENT what these seats say; or of a follower."""

    def __init__(self, *heard: int, follows: bool = False) -> None:
        seating = attempt(excluded=(PEERS[ME],)) if follows else attempt()
        self.board = Board(seating)
        for seat in heard:
            self.board.add(post(seat, GRADIENT, said(GRADIENT, seat)))
        self.agreed = Agreed(seating)
        self.path = SlowPath(KEYS[ME], seating, self.board, proof=(b"proof",))

    def begin(self, now: float = 0.0) -> Actions:
        return self.path.begin(self.agreed, GRADIENT, False, now)

    def call(self, *seats: int) -> None:
        for seat in seats:
            assert self.path.called(sealed(seat, CALL, Call(0, GRADIENT)), PEERS[seat]) == []

    def hear(self, view: Sealed, dispute: int = 0, sender: int = OTHER, **changes: Any) -> Actions:
        request = ViewRelay(0, 0, dispute, view.raw, (), ())
        return self.path.relay(request, PEERS[sender], 0.0)


def view(author: int, dispute: int = 0, *raws: bytes, trail: tuple[str, ...] = ()) -> Sealed:
    return sealed(author, VIEW, View(dispute, trail, raws))


def sent(out: Actions) -> list[str]:
    """What goes out: the phase of signed messages, "relay" of views, "?" of what is neither."""
    found = []
    for send in out.messages:
        opened = open_sealed(send.raw)
        if isinstance(opened, Sealed):
            found.append(opened.envelope.phase)
        else:
            found.append("?" if isinstance(decode(ViewRelay, send.raw), Rejection) else "relay")
    return found


def authors(out: Actions) -> list[int]:
    """Whose views are relayed, in order."""
    relays = [decode(ViewRelay, send.raw) for send in out.messages]
    views = [open_sealed(relay.view) for relay in relays if isinstance(relay, ViewRelay)]
    return [PEERS.index(each.envelope.sender) for each in views if isinstance(each, Sealed)]


# ---------------------------------------------------------------- beginning


def test_a_caller_does_not_freeze_and_may_call_again() -> None:
    peer = Disputing(0, 1)
    assert sent(peer.path.call(GRADIENT)) == sent(peer.path.call(GRADIENT)) == [CALL]
    assert not peer.path.active
    assert not peer.path.is_called


def test_enough_calls_its_own_included_begin_the_dispute_and_are_sent_before_the_view() -> None:
    peer = Disputing(0, 1)
    peer.call(1, 2)
    assert not peer.path.is_called
    peer.path.call(GRADIENT)
    assert peer.path.is_called
    out = peer.begin()
    assert sent(out) == ["?", CALL, CALL, CALL, "relay"], "the proof of the last attempt's end comes first"
    assert peer.path.active
    assert not peer.path.is_called
    assert sent(peer.path.call(GRADIENT)) == []


def test_what_one_peer_begins_on_makes_every_other_begin() -> None:
    peer, other = Disputing(0, 1), Disputing(0, 1, 2, 3, 4)
    peer.call(1, 2, 3)
    for send in peer.begin().messages[1:-1]:
        opened = open_sealed(send.raw)
        assert isinstance(opened, Sealed)
        assert other.path.called(opened, PEERS[1]) == []
    assert other.path.is_called


def test_evidence_is_sent_before_the_view() -> None:
    peer = Disputing(0, 1, 2)
    peer.board.add(post(1, GRADIENT, b"x"))
    out = peer.begin()
    assert sent(out) == ["?", GRADIENT, GRADIENT, "relay"]
    other = Board(attempt())
    other.add(post(1, GRADIENT, said(GRADIENT, 1)))
    for send in out.messages[1:-1]:
        opened = open_sealed(send.raw)
        assert isinstance(opened, Sealed)
        read = other.read(opened)
        assert not isinstance(read, Rejection)
        other.add(read)
    assert list(other.conflicts) == [(GRADIENT, 1)]


def test_without_a_pair_the_messages_that_do_not_agree_are_the_evidence() -> None:
    peer = Disputing(0, 1, 2, 3, 4)
    assert sent(peer.begin()) == ["?", *[GRADIENT] * N, "relay"]


def test_a_follower_calls_for_nothing_and_gives_no_view() -> None:
    peer = Disputing(1, follows=True)
    assert sent(peer.path.call(GRADIENT)) == []
    assert not peer.path.acts_on_evidence
    assert sent(peer.begin()) == []
    assert peer.path.active


# ---------------------------------------------------------------- views that come before


def test_a_view_begins_nothing_and_is_taken_when_the_dispute_begins() -> None:
    peer = Disputing(0)
    assert peer.hear(view(3)) == Actions()
    assert not peer.path.active
    assert authors(peer.begin()) == [0, 3]


def test_a_view_of_the_next_dispute_waits_for_it() -> None:
    peer = Disputing(0)
    assert peer.hear(view(3, 1), 1) == Actions()
    assert authors(peer.begin()) == [0]
    decision, _ = peer.path.tick(peer.agreed, peer.path.deadline or 0.0)
    assert decision is not None
    assert authors(peer.begin(50.0)) == [0, 3]


def test_signatures_on_a_view_that_comes_early_do_not_keep_it_out() -> None:
    """No relay needs any in the first round, and a false one must not stand in the way of a true one."""
    peer = Disputing(0)
    request = ViewRelay(0, 0, 0, view(3).raw, (2,), (bytes(64),))
    assert peer.path.relay(request, PEERS[4], 0.0) == Actions()
    assert authors(peer.begin()) == [0, 3]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The views whose signatures are checked."""
    found: list[bytes] = []

    def count(raw: bytes) -> Sealed | Rejection:
        found.append(raw)
        return open_sealed(raw)

    monkeypatch.setattr("btard.protocol.slow_path.open_sealed", count)
    return found


@pytest.mark.parametrize("begun", [False, True])
def test_of_two_views_of_an_author_from_anybody_the_signatures_are_checked_and_of_no_more(
    checked: list[bytes], begun: bool
) -> None:
    peer = Disputing(0)
    if begun:
        peer.begin()
    for words in (b"a", b"b", b"c", b"d"):
        for sender in (1, 2, 4):
            assert peer.hear(view(3, 0, words), sender=sender).faults == []
    assert len(checked) == 2


def test_a_longer_view_than_an_honest_one_is_refused_unread(checked: list[bytes]) -> None:
    peer = Disputing(0)
    largest = view_bytes_max(N, CONFIG.directions)
    out = peer.hear(view(3, 0, bytes(largest)))
    assert [(fault.peer, fault.kind) for fault in out.faults] == [(PEERS[OTHER], FaultKind.BAD_VIEW)]
    assert checked == []


def forged() -> Sealed:
    good = view(3)
    return Sealed(good.envelope, good.raw[:-1] + bytes([good.raw[-1] ^ 1]), good.digest)


@pytest.mark.parametrize(
    ("what", "dispute"),
    [
        (forged(), 0),
        (view(3, 1), 0),
        (sealed(3, VIEW, b"x"), 0),
        (sealed(3, GRADIENT, View(0, (), ())), 0),
        (sealed(3, VIEW, View(0, (), ()), step=1), 0),
        (sealed(3, VIEW, View(0, (), ()), excluded=PEERS[4:]), 0),
    ],
    ids=["forged", "another dispute", "no view", "another phase", "another step", "another roster"],
)
def test_what_is_no_view_of_the_dispute_is_a_fault_of_its_sender(what: Sealed, dispute: int) -> None:
    peer = Disputing(0)
    out = peer.hear(what, dispute)
    assert [(fault.peer, fault.kind) for fault in out.faults] == [(PEERS[OTHER], FaultKind.BAD_VIEW)]
    assert authors(peer.begin()) == [0]


def test_a_view_that_proves_nothing_is_a_fault_of_its_author() -> None:
    peer = Disputing(0)
    peer.begin()
    peer.hear(view(3, 0, b"nonsense"), sender=1)
    _, out = peer.path.tick(peer.agreed, peer.path.deadline or 0.0)
    assert [(fault.peer, fault.kind) for fault in out.faults] == [(PEERS[3], FaultKind.BAD_VIEW)]


# ---------------------------------------------------------------- how large an honest view gets


@pytest.mark.parametrize("n", [16, 64])
def test_an_honest_view_has_room_for_two_phases_of_the_longest_messages_up_to_two_mebibytes(n: int) -> None:
    longest = max(messages.size_max(phase, n, 4) for phase in messages.PHASES)
    assert view_bytes_max(n, 4) == min(messages.MAX_VIEW_BYTES, 1024 + (2 * n + 2) * (longest + 5))


def test_rounds_are_counted_of_the_members_though_few_of_them_take_part() -> None:
    seating = attempt(excluded=PEERS[1:3])
    path = SlowPath(KEYS[ME], seating, Board(seating), ())
    path.begin(Agreed(seating), AGGREGATE, False, 0.0)
    assert path.deadline == 2 * CONFIG.delta_s * 3, "two of five may be Byzantine, and be two of these three"
