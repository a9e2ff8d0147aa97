"""Butterfly all-reduce of parts: whose fault a missing part or aggregate is.

A transfer concerns two peers, so a missing part proves nothing against either. The paper ELIMINATEs both.
Here the attempt ends, both ends are charged (`state.RosterState.account`), and the step starts again without
the receiver among the aggregators (`protocols/decisions/0013`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from btard.protocol.messages import AggregateCommitment, CoinReveal
from btard.protocol.record import Cause


def complaints(commitments: Sequence[AggregateCommitment]) -> tuple[tuple[int, int], ...]:
    """All (sender, receiver) pairs of seats between which a part is said to be missing, in order."""
    return tuple(sorted({(i, j) for j, c in enumerate(commitments) for i in c.missing}))


def judge_complaints(
    pairs: Collection[tuple[int, int]], tolerated: int
) -> tuple[dict[int, Cause], tuple[tuple[int, int], ...]]:
    """Return who misses the step, by seat, and the complaints that are left to be charged to both ends.

    More than `tolerated` receivers contain an honest one, as do so many senders: a peer that deals with so
    many in vain is cut off, or keeps its parts back. What it did not send is then nobody else's fault."""
    misses: dict[int, Cause] = {}
    for end, cause in ((0, Cause.WITHHELD_PART), (1, Cause.UNREACHABLE)):
        count = Counter(pair[end] for pair in pairs)
        cut_off = {seat for seat, times in count.items() if times > tolerated}
        misses |= dict.fromkeys(sorted(cut_off), cause)
        pairs = [pair for pair in pairs if not cut_off & {*pair}]
    return misses, tuple(sorted(pairs))


def withheld_aggregates(reveals: Sequence[CoinReveal], parts: int) -> tuple[int, ...]:
    """Parts whose aggregate half of the peers or more do not hold.

    An aggregate that more than half hold is held by an honest peer, which serves whoever lacks it."""
    count = Counter(part for reveal in reveals for part in set(reveal.available))
    return tuple(part for part in range(parts) if 2 * count[part] <= len(reveals))
