"""The pace of a run: how long phases usually take, who holds them up, and what all agree on about it.

Each peer notes when the messages of a phase came, and in its next gradient commitment says how long each
phase took until most had spoken, and who came how much later than that. Of what the participants say the
median counts, so it lies within what honest peers saw. It sets the deadlines of the steps to come, and what
a peer is late by is charged to its account (`state.RosterState.account`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Protocol

from btard.protocol.constants import ProtocolConfig, tolerated
from btard.protocol.messages import (
    ACCUSE,
    AGGREGATE,
    GRADIENT,
    MILLIS_MAX,
    PHASES,
    REVEAL,
    SCALARS,
    GradientCommitment,
    Late,
    Phase,
)
from btard.types import PeerId

ROWS_FACTOR = 2
"""A phase of parts takes at most so many times what all but a minority of the rows took to come: however late
a minority is, the deadlines do not follow it."""

PARTS_PATIENCE = 7 / 6
"""How much later than others an aggregator may speak: it may have waited for a part before it complained."""


HOP_SHARE = 1 / 8
"""What a message may be late by besides, in delta_s: with a broken link it comes round another peer."""


class Paces(Protocol):
    """What is known about the pace of a run: `state.RosterState`."""

    @property
    def config(self) -> ProtocolConfig: ...

    @property
    def gradient_s(self) -> float: ...

    @property
    def parts_s(self) -> float: ...

    def patience_s(self, phase: Phase) -> float: ...

    def asking_s(self, phase: Phase, limit_s: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """How an attempt went: the milliseconds until most had spoken, by phase, 0 for those that were not
    reached; and the milliseconds that a peer was late by, over all phases."""

    took: tuple[int, ...] = ()
    late: tuple[Late, ...] = ()


NOTHING_SEEN = Seen()


class Watch:
    """Takes the times of one attempt that begins in `state`, of `seats` participants; `paired` are those that
    examine or are examined.

    Nothing that a message says is used, only when it came: whoever lies about that is one of the minority."""

    def __init__(self, state: Paces, seats: int, paired: Collection[int]) -> None:
        self._seats = seats
        self._paired = frozenset(paired)
        self._gradient_s = state.gradient_s
        self._parts_s = state.parts_s
        self._asking_s = state.asking_s(REVEAL, state.patience_s(REVEAL))
        self._patience = state.config.patience
        self._hop_s = HOP_SHARE * state.config.delta_s
        self._came: dict[tuple[str, int], float] = {}
        self._blobs: dict[tuple[str, int], float] = {}
        self._held_up: dict[tuple[str, int], float] = {}
        self._took: dict[str, float] = {}
        self._late = [0.0] * seats

    def spoke(self, phase: str, seat: int, seconds: float) -> None:
        """Note when a message of the phase under way came, in seconds from its beginning; the first
        counts."""
        self._came.setdefault((phase, seat), seconds)

    def blob_came(self, phase: Phase, seat: int, seconds: float) -> None:
        """Note when the blob of a seat came for which this peer waits: in AGGREGATE a row of its part, in
        REVEAL an aggregate. In seconds from the beginning of the phase."""
        self._blobs.setdefault((phase, seat), seconds)

    def resumed(self, phase: Phase, seats: Collection[int], seconds: float) -> None:
        """Note that a phase begins again after a dispute, `seconds` after it began, because these `seats` had
        not spoken in time: whatever brought their messages, they were late by that."""
        for seat in seats:
            self._held_up[phase, seat] = self._held_up.get((phase, seat), 0.0) + seconds

    def completed(self, phase: Phase, aggregators: Sequence[int], public: bool = False) -> None:
        """Note that all messages of a phase are there; the first time counts. One that came before the phase
        began came at 0. In a `public` attempt rows go round, and whoever aggregates them waits for that."""
        if phase in self._took:
            return
        came = [
            self._held_up.get((phase, seat), 0.0) + self._came.get((phase, seat), 0.0)
            for seat in range(self._seats)
        ]
        if phase == AGGREGATE:
            self._parts_came(came, aggregators, public)
            return
        if phase == REVEAL and aggregators:
            blobs = [self._blobs.get((REVEAL, seat), 0.0) for seat in aggregators]
            # One alone is measured by the rows, of which a peer gets as much.
            self._took[phase] = self._took[AGGREGATE] if public else median_high(blobs)
            for seat, seconds in zip(aggregators, blobs, strict=True):
                self._charge(seat, seconds, self._took[phase])
            # Nobody is late for what others were late with, or kept from it until it asked around.
            ready = max(blobs) + self._asking_s
            came = [max(0.0, seconds - ready) for seconds in came]
        usual = _usual(came)
        self._took.setdefault(phase, usual)
        for seat, seconds in enumerate(came):
            self._charge(seat, seconds, self._allowance(phase, seat, usual))

    def _parts_came(self, came: Sequence[float], aggregators: Sequence[int], public: bool) -> None:
        """Note that AGGREGATE is over. Only aggregators wait in it, in a `public` attempt all peers. A peer
        that waits goes by the rows that came to it: nobody knows whom the others waited for."""
        waiting = range(self._seats) if public else aggregators
        usual = _usual([came[seat] for seat in waiting]) if waiting else 0.0
        rows = [self._blobs.get((AGGREGATE, seat), 0.0) for seat in range(self._seats)]
        if any(rows):
            prompt = _usual(rows)
            usual = min(usual, ROWS_FACTOR * prompt)
            for seat, seconds in enumerate(rows):
                self._charge(seat, seconds, prompt)
        self._took[AGGREGATE] = usual
        waits_s = ROWS_FACTOR * self._parts_s if public else self._parts_s
        for seat, seconds in enumerate(came):
            self._charge(seat, seconds, max(PARTS_PATIENCE * usual, waits_s / self._patience))

    def seen(self, peers: Sequence[PeerId]) -> Seen:
        """Return what this peer saw of an attempt of these participants."""
        took = tuple(_millis(self._took.get(phase, 0.0)) for phase in PHASES)
        late = [(peer, _millis(seconds)) for peer, seconds in zip(peers, self._late, strict=True)]
        return Seen(took, tuple(Late(peer, millis) for peer, millis in late if millis))

    def _allowance(self, phase: Phase, seat: int, usual: float) -> float:
        if phase in (SCALARS, ACCUSE) and seat in self._paired:
            # It computes a gradient more than others do.
            return usual + max(self._gradient_s, self._took.get(GRADIENT, 0.0))
        return usual

    def _charge(self, seat: int, seconds: float, allowance: float) -> None:
        self._late[seat] += max(0.0, seconds - self._patience * allowance - self._hop_s)


def _usual(came: Sequence[float]) -> float:
    """Return when all but a minority had spoken: no later than the slowest honest peer."""
    return sorted(came)[len(came) - tolerated(len(came)) - 1]


def _millis(seconds: float) -> int:
    return min(MILLIS_MAX, int(1000 * seconds))


def agreed(said: Sequence[GradientCommitment]) -> Seen:
    """Return the medians of what the participants saw of the attempt before.

    A peer is late by what more than half of them saw, or more: the median is the lower one."""
    took = [each.took for each in said if len(each.took) == len(PHASES)]
    if 2 * len(took) <= len(said):
        return NOTHING_SEEN
    usual = tuple(median_high(column) for column in zip(*took, strict=True))
    by_peer: dict[PeerId, list[int]] = {}
    for each in said:
        for peer, millis in _named(each.late).items():
            by_peer.setdefault(peer, []).append(millis)
    late = {peer: _seen_by_most(millis, len(said)) for peer, millis in by_peer.items()}
    return Seen(usual, tuple(Late(peer, millis) for peer, millis in sorted(late.items()) if millis))


def _named(late: Iterable[Late]) -> Mapping[PeerId, int]:
    return {PeerId(each.peer): each.millis for each in late}


def _seen_by_most(millis: Sequence[int], voters: int) -> int:
    """Return the most of which more than half of the voters saw at least so much."""
    ranked = sorted(millis, reverse=True)
    needed = voters // 2
    return ranked[needed] if needed < len(ranked) else 0
