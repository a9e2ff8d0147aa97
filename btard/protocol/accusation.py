"""ACCUSE: which quantities are disputed, how a voter judges each, and what the votes decide.

The agreed messages of the ACCUSE phase define an ordered list of cases, the same for everybody; each
peer recomputes just the disputed quantity and signs one vote a case; more than half decides. Every
accusation ends at least one seat: the target's if it is right, else the accuser's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from btard.crypto import commit, opens
from btard.machine import Recomputed
from btard.protocol import verification
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import Accusation, Accusations, PartScalars, PublishedScalars, Vote
from btard.protocol.record import Cause
from btard.protocol.suspicion import Examiners
from btard.types import Digest, PeerId, Scalars
from btard.wire import encode

ROW = "row"
GRADIENT = "gradient"
FINGERPRINT = "fingerprint"
FINGERPRINT_DOMAIN = "fingerprint commitment"


@dataclass(frozen=True, slots=True)
class Case:
    """`accuser` says that `target` published what is not so; in a ROW, of `part`. In FINGERPRINT either may
    be wrong. In GRADIENT the target may be absent (`Seating.everyone`)."""

    kind: str
    accuser: int
    target: int
    part: int = 0


def fingerprint_commitment(peer: PeerId, fingerprint: PartScalars, salt: bytes) -> Digest:
    """Commit to a fingerprint: a lazy validator has nothing to copy before both have committed."""
    return commit(FINGERPRINT_DOMAIN, peer + encode(fingerprint), salt)


def false_openings(
    participants: Sequence[PeerId],
    pairs: Sequence[tuple[int, int]],
    published: Sequence[PublishedScalars],
    accusations: Sequence[Accusations],
) -> tuple[int, ...]:
    """Seats of pairs that did not open the fingerprint that they committed to."""
    return tuple(
        seat
        for seat in sorted(seat for pair in pairs for seat in pair if seat < len(accusations))
        if (said := accusations[seat].fingerprint) is None
        or not opens(
            FINGERPRINT_DOMAIN,
            Digest(published[seat].fingerprint),
            participants[seat] + encode(said),
            accusations[seat].salt,
        )
    )


def baseless(
    seats: int,
    pairs: Sequence[tuple[int, int]],
    aggregators: Sequence[int],
    examiners: Examiners,
    accusations: Sequence[Accusations],
) -> tuple[int, ...]:
    """Seats that accuse without standing: an unknown kind, a seat that is not there, themselves, the same
    seat twice, a row of a part that they neither aggregate nor examine, or the gradient of a peer that they
    do not validate; or that lack the rows of a part that they do not examine."""

    def has_standing(seat: int, a: Accusation) -> bool:
        if a.kind == GRADIENT:
            return (seat, a.target) in pairs and a.part == 0
        return (
            a.kind == ROW
            and a.target < seats
            and (seat in aggregators[a.part : a.part + 1] or seat in examiners.get(a.part, ()))
        )

    def wrong(seat: int, said: Accusations) -> bool:
        return (
            len({(a.kind, a.target) for a in said.accusations}) != len(said.accusations)
            or any(a.target == seat or not has_standing(seat, a) for a in said.accusations)
            or len(set(said.unavailable)) != len(said.unavailable)
            or any(seat not in examiners.get(part, ()) for part in said.unavailable)
        )

    return tuple(seat for seat, said in enumerate(accusations) if wrong(seat, said))


def cases(
    pairs: Sequence[tuple[int, int]], accusations: Sequence[Accusations], config: ProtocolConfig
) -> tuple[Case, ...]:
    """The disputed quantities, in an order that everybody derives alike."""
    found = [
        Case(a.kind, seat, a.target, a.part)
        for seat, said in enumerate(accusations)
        for a in said.accusations
    ]
    for validator, target in pairs:
        if target >= len(accusations):  # absent: its published scalars are all that it is judged by
            continue
        mine, theirs = accusations[validator].fingerprint, accusations[target].fingerprint
        if (
            mine is not None
            and theirs is not None
            and verification.fingerprints_disagree(mine, theirs, config)
        ):
            found.append(Case(FINGERPRINT, validator, target))
    return tuple(sorted(found, key=lambda case: (case.kind, case.accuser, case.target)))


def is_impossible(vote: Vote, case: Case) -> bool:
    """Return whether no honest peer votes like this: only the two ends of a case can be guilty, and only who
    accuses of a row has evidence to withhold."""
    return not ({*vote.guilty} <= {case.accuser, case.target}) or not (
        {*vote.unavailable} <= ({case.accuser} if case.kind == ROW else set())
    )


# ---------------------------------------------------------------- how a voter judges


def judge_row(case: Case, published: PartScalars, true: Scalars | None, tau: float) -> Vote:
    """Vote on a row; `true` is None if the accuser did not hand over the committed bytes."""
    if true is None:
        return Vote(guilty=(), unavailable=(case.accuser,))
    false = verification.row_is_false(published, true, tau)
    return Vote(guilty=(case.target if false else case.accuser,), unavailable=())


def judge_gradient(
    case: Case, published: Sequence[PartScalars], true: Recomputed, config: ProtocolConfig
) -> Vote:
    """The verdict on the target rests on the scalars that it published when its bytes were aggregated."""
    false = verification.gradient_is_false(published, true, config)
    return Vote(guilty=(case.target if false else case.accuser,), unavailable=())


def judge_fingerprint(
    case: Case, accusations: Sequence[Accusations], true: Scalars, config: ProtocolConfig
) -> Vote:
    """Both spoke of the same gradient: whoever is further from it than the tolerance is guilty."""
    guilty = [
        seat
        for seat in (case.accuser, case.target)
        if (said := accusations[seat].fingerprint) is None
        or verification.fingerprint_is_false(said, true, config)
    ]
    return Vote(guilty=tuple(sorted(guilty)), unavailable=())


# ---------------------------------------------------------------- what the votes decide

REASONS = {
    (ROW, True): Cause.FALSE_SCALARS,
    (GRADIENT, True): Cause.FALSE_GRADIENT,
    (FINGERPRINT, True): Cause.FALSE_FINGERPRINT,
    (ROW, False): Cause.FALSE_ACCUSATION,
    (GRADIENT, False): Cause.FALSE_ACCUSATION,
    (FINGERPRINT, False): Cause.FALSE_VALIDATION,
}


def tally(
    found: Sequence[Case], votes: Sequence[Sequence[Vote]]
) -> tuple[dict[int, Cause], dict[int, Cause]]:
    """(bans, leaves) by seat with their reasons, from votes[voter][case].

    Evidence that came to some voters only splits their votes into guilty and unavailable; a seat that most
    name in either way leaves. An accusation about which most name nobody ends both seats: honest voters agree
    wherever accuser or accused is honest."""
    bans: dict[int, Cause] = {}
    leaves: dict[int, Cause] = {}
    for k, case in enumerate(found):
        guilty = Counter(seat for ballot in votes for seat in set(ballot[k].guilty))
        named = Counter(seat for ballot in votes for seat in {*ballot[k].guilty, *ballot[k].unavailable})
        for seat in sorted(seat for seat, count in guilty.items() if 2 * count > len(votes)):
            bans.setdefault(seat, REASONS[case.kind, seat == case.target])
        most = [seat for seat, count in sorted(named.items()) if 2 * count > len(votes)]
        for seat in most or (case.accuser, case.target):
            leaves.setdefault(seat, Cause.WITHHELD_EVIDENCE)
    return bans, {seat: why for seat, why in leaves.items() if seat not in bans}
