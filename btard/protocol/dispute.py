"""The outcome of a dispute: a function of the views that everybody agreed on.

Honest peers freeze when a dispute begins, sign what they hold, and agree on the vector of views
(`agreement.py`). Let p be the furthest phase that some view proves complete: all messages of it are in the
view, and honest peers signed some of them, so every honest peer completed the phase before p. Then

1. more than half voted for one record: it is final (had anybody seen all votes, all honest peers would have
   voted for it; so a record that is final for one is final for all);
2. two messages of one author in one slot: ban; no view at all: the peer misses the step;
3. a message that holds another set than the agreed one: ban, its author signed a set that does not exist;
4. all messages of the phase after p are there: everybody takes them and goes on;
5. the first time, everybody takes p's messages and goes on, with deadlines that count from the same moment:
   entering p, honest peers may have lain a quarter of a phase apart (a Byzantine message that came early to
   one and late to another), and the dispute began at the first of their deadlines;
6. else whoever is missing in the phase after p misses the step.

Peers are removed as missing (2, 6) only where most others are not: if half of the participants are missing,
the deadlines are too short for them, and everybody waits. If no record can get a majority of votes any more,
the run is over.

From the reveal to the verdict a missing peer loses its seat: it has seen the coin, and could otherwise stay
silent whenever a validator drew it. Silence in the vote itself gains nothing: peers that had to settle a
vote in a dispute name the silent, and equivocators, in their next gradient commitment; most must agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from btard.protocol.agreed import Seating
from btard.protocol.broadcast import Board, Post, set_digest
from btard.protocol.messages import PHASES, RECORD, REVEAL, Completed, Phase, RecordVote
from btard.protocol.record import BAN, LEAVE, Cause, Removal
from btard.protocol.rules import Ending
from btard.protocol.view import Proof
from btard.types import Digest
from btard.wire import Sealed

NextPhase = Callable[[Completed, dict[int, Post]], Phase | Ending]
"""The phase after a completed one, whose agreed posts are given; earlier ones are known to the caller."""


@dataclass(frozen=True, slots=True)
class Final:
    """The record of this digest is final by `votes`; `posts` are the messages of the phase before them.

    The views have no vote of `silent`, another vote of `contrary`, and two messages of `equivocal` for one
    slot."""

    record: Digest
    completed: Completed
    posts: dict[int, Post]
    votes: dict[int, Post]
    silent: tuple[int, ...] = ()
    contrary: tuple[int, ...] = ()
    equivocal: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Remove:
    """The attempt is over; these peers are out."""

    removals: tuple[Removal, ...]


@dataclass(frozen=True, slots=True)
class GoOn:
    """Everybody holds these posts now: of the completed phase and of the one after it."""

    completed: Completed
    posts: dict[int, Post]
    following: dict[int, Post]


@dataclass(frozen=True, slots=True)
class Halt:
    """No record can get a majority of votes any more: the run is over."""


Decision = Final | Remove | GoOn | Halt


def decide(
    seating: Seating,
    agreed: Sequence[Sequence[Sealed]],
    proofs: Sequence[Proof | None],
    next_phase: NextPhase,
    lenient_used: Collection[str],
) -> Decision:
    """The outcome of a dispute; `agreed` are the views by seat (`Agreement.agreed`), `proofs` what the one
    view of each author proves (`view.read_view`).

    `lenient_used` are the completed phases at which rule 5 was already used."""
    held = [proof for proof in proofs if proof is not None]
    union = Board(seating)
    for proof in held:
        for post in proof.board.all_posts():
            union.add(post)
    final = _final(seating, proofs)
    if final is not None:
        equivocal = {seat for seat, views in enumerate(agreed) if len(views) > 1}
        equivocal |= {seat for _, seat in union.conflicts}
        silent = set(union.missing(RECORD)) - equivocal
        contrary = _contrary(union, final) - equivocal
        return replace(
            final,
            silent=tuple(sorted(silent)),
            contrary=tuple(sorted(contrary)),
            equivocal=tuple(sorted(equivocal)),
        )
    best = max(held, key=lambda proof: proof.rank, default=None)
    if best is None:
        return GoOn("", {}, {})
    completed = best.completed
    posts = best.board.posts[completed] if completed else {}
    following = next_phase(completed, posts)
    collecting = RECORD if isinstance(following, Ending) else following
    found = _evident(seating, agreed, union, collecting, completed, posts)
    absent = [s for s, views in enumerate(agreed) if len(views) < 2 and proofs[s] is None and s not in found]
    if _most(seating, others_than=[*found, *absent]):
        found.update((seat, _missing(seating, seat, collecting)) for seat in absent)
    if found:
        return Remove(tuple(found[seat] for seat in sorted(found)))
    missing = union.missing(collecting)
    if collecting == RECORD and not _can_be_final(seating, union, missing):
        return Halt()
    if not missing or completed not in lenient_used or not _most(seating, others_than=missing):
        return GoOn(completed, dict(posts), dict(union.posts[collecting]))
    return Remove(tuple(_missing(seating, seat, collecting) for seat in missing))


def _most(seating: Seating, others_than: Sequence[int]) -> bool:
    """Whether most participants are others than these seats."""
    return 2 * len(others_than) < len(seating.participants)


def _can_be_final(seating: Seating, union: Board, missing: Sequence[int]) -> bool:
    """Whether some record can still get the votes of most participants."""
    said = [post.payload for post in union.posts[RECORD].values()]
    count = Counter(vote.record for vote in said if isinstance(vote, RecordVote))
    return 2 * (max(count.values(), default=0) + len(missing)) > len(seating.participants)


def _final(seating: Seating, proofs: Sequence[Proof | None]) -> Final | None:
    votes: dict[Digest, dict[int, Post]] = {}
    for proof in proofs:
        for seat, post in proof.board.posts[RECORD].items() if proof is not None else ():
            if isinstance(post.payload, RecordVote):
                votes.setdefault(Digest(post.payload.record), {}).setdefault(seat, post)
    for record, voters in sorted(votes.items()):
        if 2 * len(voters) <= len(seating.participants):
            continue
        for seat, proof in enumerate(proofs):
            own = proof.board.posts[RECORD].get(seat) if proof is not None and proof.completed else None
            if proof is None or own is None or not isinstance(own.payload, RecordVote):
                continue
            done = proof.completed
            if (own.payload.record, own.payload.previous_set) == (record, proof.board.digest(done)):
                return Final(record, done, dict(proof.board.posts[done]), voters)
    return None


def _contrary(union: Board, final: Final) -> set[int]:
    """Return who voted for another record than the final one without an honest reason: from the same set
    everybody makes the same record, and where nobody equivocated there is no other set."""
    agreed_set = next(iter(final.votes.values())).payload
    assert isinstance(agreed_set, RecordVote)
    forked = any(phase == final.completed for phase, _ in union.conflicts)
    said = {seat: post.payload for seat, post in union.posts[RECORD].items()}
    return {
        seat
        for seat, vote in said.items()
        if not isinstance(vote, RecordVote)
        or (vote.record != final.record and (vote.previous_set == agreed_set.previous_set or not forked))
    }


def _evident(
    seating: Seating,
    agreed: Sequence[Sequence[Sealed]],
    union: Board,
    collecting: Phase,
    completed: Completed,
    posts: dict[int, Post],
) -> dict[int, Removal]:
    """Whom signed messages convict, by seat."""
    peers = seating.participants
    two_faced = {seat for seat, views in enumerate(agreed) if len(views) > 1}
    two_faced |= {seat for _, seat in union.conflicts}
    found = {seat: Removal(peers[seat], BAN, Cause.EQUIVOCATION) for seat in two_faced}
    if not any(phase == completed for phase, _ in union.conflicts):
        in_order = [posts[seat] for seat in sorted(posts)]
        agreed_set = set_digest(completed, in_order) if completed else seating.state.head
        for seat, post in union.posts[collecting].items():
            if post.payload is not None and post.payload.previous_set != agreed_set:
                found.setdefault(seat, Removal(peers[seat], BAN, Cause.FALSE_DIGEST))
    return found


def _missing(seating: Seating, seat: int, collecting: Phase) -> Removal:
    peer = seating.participants[seat]
    if PHASES.index(REVEAL) <= PHASES.index(collecting) < PHASES.index(RECORD):
        return Removal(peer, LEAVE, Cause.silent_in(collecting))
    return seating.state.miss(peer, Cause.silent_in(collecting))
