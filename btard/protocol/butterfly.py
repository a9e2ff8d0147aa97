"""Butterfly all-reduce of parts: who got what, and whose fault a missing part is.

Part j belongs to the peer in seat j. A transfer concerns two peers, so a missing part proves nothing
against either. The paper ELIMINATEs both; here everybody is made a witness instead: the complained
part is published to all, all vote on whether it came, and the majority, which is honest, decides
(`protocols/decisions/0004`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from btard.protocol.messages import AggregateCommitment, CoinReveal, RelayVotes
from btard.protocol.record import Cause

ABSENT, PRESENT, INVALID = 0, 1, 2


def complaints(commitments: Sequence[AggregateCommitment]) -> tuple[tuple[int, int], ...]:
    """All (sender, receiver) pairs of seats between which a part is said to be missing, in order."""
    return tuple(sorted({(i, j) for j, c in enumerate(commitments) for i in c.missing}))


def judge_complaints(
    pairs: Sequence[tuple[int, int]],
    votes: Sequence[RelayVotes],
    witnessed: Collection[tuple[int, int]],
    changed: Collection[tuple[int, int]] = (),
) -> tuple[dict[int, Cause], dict[int, Cause], tuple[tuple[int, int], ...]]:
    """Return what the witnesses' votes mean: (bans, misses, newly relayed pairs), the first two by seat.

    A part that most saw is relayed from now on. `witnessed` pairs are those whose very part most saw in an
    earlier attempt of the step with the same participants: honest peers hold it and pushed it to the
    receiver, so a receiver that still complains misses the step. (That a pair is relayed is not enough: its
    sender may keep a later step's part to itself until the vote.) `changed` pairs were witnessed like this,
    but with another part. An honest sender owes the same one in all of these attempts, so here it is the
    sender that misses the step: else it could keep back one part after the other. A part that most saw to be
    not finite, or of a wrong size, bans its owner, whose commitment binds it. Otherwise the owner did not
    publish what it committed to."""
    bans: dict[int, Cause] = {}
    misses: dict[int, Cause] = {}
    relays: list[tuple[int, int]] = []
    for k, (sender, receiver) in enumerate(pairs):
        count = Counter(vote.votes[k] for vote in votes)
        if 2 * count[INVALID] > len(votes):
            bans[sender] = Cause.INVALID_PART
        elif 2 * count[PRESENT] <= len(votes):
            misses[sender] = Cause.WITHHELD_PART
        elif (sender, receiver) in changed:
            misses[sender] = Cause.CHANGED_PART
        elif (sender, receiver) in witnessed:
            misses.setdefault(receiver, Cause.UNREACHABLE)
        else:
            relays.append((sender, receiver))
    return bans, misses, tuple(relays)


def withheld_aggregates(reveals: Sequence[CoinReveal]) -> tuple[int, ...]:
    """Seats whose aggregate half of the peers or more do not hold.

    An aggregate that more than half hold is held by an honest peer, which serves whoever lacks it."""
    count = Counter(seat for reveal in reveals for seat in set(reveal.available))
    return tuple(seat for seat in range(len(reveals)) if 2 * count[seat] <= len(reveals))
