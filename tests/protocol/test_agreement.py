"""Dolev-Strong: whatever Byzantine peers sign, relay and withhold, honest peers end with the same views."""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btard.crypto import Identity, digest
from btard.protocol.agreement import Agreement
from btard.protocol.constants import tolerated
from btard.protocol.messages import VIEW, View, ViewRelay
from btard.wire import Envelope, Sealed, encode, open_sealed, seal

DELTA = 1.0
PLACE = digest("place")
KEYS = sorted((Identity.from_seed(bytes([k + 1]) * 32) for k in range(7)), key=lambda key: key.peer)


def view(author: int, words: str = "") -> Sealed:
    """A view of this author; other words, another view."""
    payload = encode(View(0, (words,) if words else (), ()))
    envelope = Envelope(bytes(32), 0, 0, VIEW, bytes(32), KEYS[author].peer, payload)
    opened = open_sealed(seal(KEYS[author], envelope))
    assert isinstance(opened, Sealed)
    return opened


def relayed(of: Sealed, *signers: int) -> ViewRelay:
    statement = digest("view relay", PLACE, of.digest)
    signatures = tuple(KEYS[seat].sign(statement) for seat in signers)
    return ViewRelay(0, 0, 0, of.raw, signers, signatures)


def instance(seat: int, n: int, now: float = 0.0) -> Agreement:
    return Agreement(KEYS[seat], [key.peer for key in KEYS[:n]], tolerated(n), PLACE, DELTA, now)


@dataclass(frozen=True)
class Lie:
    """At `at_s` (from the first start) seat `to` hears this relay of a Byzantine author's view."""

    author: int
    words: str
    signers: tuple[int, ...]
    to: int
    at_s: float


class Gathering:
    """Honest peers that start within delta and whose messages arrive within delta, against any lies."""

    def __init__(self, n: int, honest: list[int], starts: dict[int, float], delays: list[float]) -> None:
        self.n, self.honest = n, honest
        self._heap: list[tuple[float, int, int, Sealed, ViewRelay]] = []
        self._number = count()
        self._delays = delays
        self.peers = {seat: instance(seat, n, starts[seat]) for seat in honest}
        for seat in honest:
            mine = view(seat)
            self.peers[seat].accept(seat, mine, relayed(mine), starts[seat])
            # Whoever hears a view joins; so it arrives when everybody has begun.
            self.say(seat, mine, relayed(mine), max(starts.values()))

    def say(self, sender: int, what: Sealed, relay: ViewRelay, now: float) -> None:
        for to in self.honest:
            if to != sender:
                number = next(self._number)
                delay = self._delays[number % len(self._delays)]
                heappush(self._heap, (now + delay, number, to, what, relay))

    def lie(self, lie: Lie) -> None:
        what = view(lie.author, lie.words)
        heappush(self._heap, (lie.at_s, next(self._number), lie.to, what, relayed(what, *lie.signers)))

    def run(self) -> dict[int, tuple[tuple[bytes, ...], ...]]:
        """What each honest peer ends with: the digests of its views, by author."""
        while self._heap:
            now, _, to, what, relay = heappop(self._heap)
            author = [key.peer for key in KEYS].index(what.envelope.sender)
            onward = self.peers[to].accept(author, what, relay, now)
            if onward is not None:
                self.say(to, what, onward, now)
        return {
            seat: tuple(tuple(sorted(each.digest for each in views)) for views in peer.agreed)
            for seat, peer in self.peers.items()
        }


@st.composite
def gatherings(draw: st.DrawFn) -> tuple[Gathering, list[int], list[int]]:
    n = draw(st.integers(3, 7))
    byzantine = sorted(draw(st.sets(st.integers(0, n - 1), max_size=tolerated(n))))
    honest = [seat for seat in range(n) if seat not in byzantine]
    times = st.floats(0, DELTA)
    starts = {seat: draw(times) for seat in honest}
    gathering = Gathering(n, honest, starts, draw(st.lists(times, min_size=1, max_size=12)))
    end = 2 * DELTA * (tolerated(n) + 2)
    if byzantine:
        lies = st.builds(
            Lie,
            st.sampled_from(byzantine),
            st.sampled_from(["a", "b", "c"]),
            st.lists(st.sampled_from(byzantine), unique=True, max_size=3).map(tuple),
            st.sampled_from(honest),
            st.floats(DELTA, end) | st.sampled_from([2 * DELTA * r for r in range(1, tolerated(n) + 2)]),
        )
        for lie in draw(st.lists(lies, max_size=12)):
            gathering.lie(lie)
    return gathering, honest, byzantine


def value(views: tuple[bytes, ...]) -> bytes | None:
    """What counts of an author's views: the one, or nothing where there are none or two."""
    return views[0] if len(views) == 1 else None


@settings(max_examples=120)
@given(gatherings())
def test_all_honest_peers_end_with_the_same_views_against_any_lies_and_delays(
    drawn: tuple[Gathering, list[int], list[int]],
) -> None:
    gathering, honest, byzantine = drawn
    ends = gathering.run()
    for author in range(gathering.n):
        ended = {seat: ends[seat][author] for seat in honest}
        assert len({value(views) for views in ended.values()}) == 1, (author, author in byzantine)
        if author in honest:
            assert all(views == (view(author).digest,) for views in ended.values())
        else:
            # And they agree on whether the author is two-faced: that is what ends its seat.
            assert len({len(views) for views in ended.values()}) == 1


def test_a_two_faced_author_is_known_as_one_to_everybody() -> None:
    gathering = Gathering(5, [0, 1, 2], dict.fromkeys(range(3), 0.0), [0.5])
    gathering.lie(Lie(4, "a", (), 0, 1.0))
    gathering.lie(Lie(4, "b", (), 1, 1.0))
    assert all(len(views[4]) == 2 for views in gathering.run().values())


@pytest.mark.parametrize(
    ("signers", "at_s", "counts"),
    [
        ((), 1.9, True),
        ((), 2.0, False),
        ((3,), 2.0, True),
        ((3,), 4.0, False),
        ((3, 2), 4.0, True),
        ((3, 2), 6.0, True),
        ((3, 2), 6.1, False),
    ],
)
def test_a_late_view_needs_the_signatures_of_its_round(
    signers: tuple[int, ...], at_s: float, counts: bool
) -> None:
    late = view(4)
    peer = instance(0, 5)
    onward = peer.accept(4, late, relayed(late, *signers), at_s)
    assert (len(peer.agreed[4]) == 1) == (onward is not None) == counts
    if onward is not None:
        assert onward.signers == (*signers, 0)


def test_the_agreement_lasts_one_round_more_than_there_may_be_byzantine_peers() -> None:
    assert [instance(0, n, now=3.0).deadline for n in (3, 5, 7)] == [7.0, 9.0, 11.0]


def forgeries() -> dict[str, ViewRelay]:
    good = relayed(view(4), 3, 2)
    return {
        "a signature of somebody else": replace(good, signers=(3, 1)),
        "the same signer twice": relayed(view(4), 3, 3),
        "the author as its own witness": relayed(view(4), 4, 2),
        "a signer without a seat": replace(good, signers=(3, 6)),
        "fewer signatures than signers": replace(good, signatures=good.signatures[:1]),
        "the signatures of another view": replace(relayed(view(4, "b"), 3, 2), view=good.view),
        "nothing in place of signatures": replace(good, signatures=(bytes(64), bytes(64))),
    }


@pytest.mark.parametrize("forgery", list(forgeries()))
def test_a_forged_relay_changes_nothing(forgery: str) -> None:
    peer = instance(0, 5)
    assert peer.accept(4, view(4), forgeries()[forgery], 4.5) is None
    assert peer.agreed[4] == ()


def test_a_relay_of_one_dispute_is_of_no_use_in_another() -> None:
    roster = [key.peer for key in KEYS[:5]]
    elsewhere, here = Agreement(KEYS[3], roster, 2, digest("another place"), DELTA, 0.0), instance(3, 5)
    first = relayed(view(4))
    relays = [each.accept(4, view(4), first, 0.5) for each in (elsewhere, here)]
    for relay, counts in zip(relays, (False, True), strict=True):
        assert relay is not None
        assert relay.signers == (3,)
        assert (instance(0, 5).accept(4, view(4), relay, 2.0) is not None) == counts


def test_a_peer_keeps_two_views_of_one_author_at_most() -> None:
    peer = instance(0, 5)
    for words in "abcdef":
        peer.accept(4, view(4, words), relayed(view(4, words)), 0.5)
    assert len(peer.agreed[4]) == 2


def test_a_follower_agrees_but_signs_nothing() -> None:
    follower = Agreement(KEYS[6], [key.peer for key in KEYS[:5]], 2, PLACE, DELTA, 0.0)
    assert follower.accept(4, view(4), relayed(view(4)), 0.5) is None
    assert [len(views) for views in follower.agreed] == [0, 0, 0, 0, 1]
