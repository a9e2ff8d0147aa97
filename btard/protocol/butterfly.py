"""Butterfly all-reduce of parts: whose fault a missing part or aggregate is.

A transfer concerns two peers, so a missing part proves nothing against either. The paper ELIMINATEs both.
Here the attempt ends, both ends are charged (`state.RosterState.account`), and the step starts again without
the receiver among the aggregators (`protocols/decisions/0013`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from btard.protocol.messages import AggregateCommitment, CoinReveal
from btard.protocol.record import Cause


def complaints(commitments: Sequence[AggregateCommitment]) -> tuple[tuple[int, int], ...]:
    """All (sender, receiver) pairs of seats between which a part is said to be missing, in order."""
    return tuple(sorted({(i, j) for j, c in enumerate(commitments) for i in c.missing}))


def judge_complaints(
    pairs: Collection[tuple[int, int]], tolerated: int, earlier: Mapping[int, Collection[int]]
) -> tuple[dict[int, Cause], tuple[tuple[int, int], ...]]:
    """Return who misses the step, by seat, and the complaints that are left to be charged to both ends.

    `earlier` are the seats with which a seat was in complaints before. Of counterparties as many as are
    `tolerated` may be liars, and one may be behind a broken link; a sender with more of them keeps its parts
    back, or is cut off, and a receiver is cut off. What these did not send or get is then nobody else's
    fault."""
    misses: dict[int, Cause] = {}
    for end, cause in ((0, Cause.WITHHELD_PART), (1, Cause.UNREACHABLE)):
        others: dict[int, set[int]] = {}
        for pair in pairs:
            others.setdefault(pair[end], set(earlier.get(pair[end], ()))).add(pair[1 - end])
        cut_off = {seat for seat, them in others.items() if len(them) > tolerated + 1}
        misses |= dict.fromkeys(sorted(cut_off), cause)
        pairs = [pair for pair in pairs if not cut_off & {*pair}]
    return misses, tuple(sorted(pairs))


def judge_public(commitments: Sequence[AggregateCommitment], aggregator: int) -> dict[int, Cause]:
    """Return who misses the step where everybody was to get every row: the senders of rows that no majority
    has, else an aggregator that lacks some. What more than half have, an honest peer has and serves."""
    count = Counter(seat for said in commitments for seat in set(said.missing))
    withheld = sorted(seat for seat, lacking in count.items() if 2 * lacking >= len(commitments))
    if withheld or not commitments[aggregator].missing:
        return dict.fromkeys(withheld, Cause.WITHHELD_PART)
    return {aggregator: Cause.UNREACHABLE}


def withheld_aggregates(reveals: Sequence[CoinReveal], parts: int) -> tuple[int, ...]:
    """Parts whose aggregate half of the peers or more do not hold.

    An aggregate that more than half hold is held by an honest peer, which serves whoever lacks it."""
    count = Counter(part for reveal in reveals for part in set(reveal.available))
    return tuple(part for part in range(parts) if 2 * count[part] <= len(reveals))
