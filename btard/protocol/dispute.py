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
   entering p, honest peers may have lain a whole phase apart (a Byzantine message that came early to one and
   late to another), and a Byzantine peer may begin a dispute whenever it likes;
6. else whoever is missing in the phase after p misses the step.

From the reveal to the verdict a missing peer loses its seat: it has seen the coin, and could otherwise stay
silent whenever a validator drew it. Silence in the vote itself gains nothing: peers that had to settle a
vote in a dispute name the silent, and equivocators, in their next gradient commitment; most must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import cast

from btard.protocol.agreed import Seating
from btard.protocol.broadcast import Board, Post, set_digest
from btard.protocol.messages import PHASES, RECORD, REVEAL, Completed, Phase, RecordVote, View
from btard.protocol.record import BAN, LEAVE, Cause, Removal
from btard.protocol.rules import Ending
from btard.types import Digest
from btard.wire import Rejection, Sealed, decode, open_sealed

NextPhase = Callable[[Completed, dict[int, Post]], Phase | Ending]
"""The phase after a completed one, whose agreed posts are given; earlier ones are known to the caller."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A view that holds: its posts, and the phase that it proves complete ("" before the first)."""

    trail: tuple[Phase, ...]
    board: Board

    @property
    def completed(self) -> Completed:
        return self.trail[-1] if self.trail else ""

    @property
    def rank(self) -> int:
        return PHASES.index(self.completed) if self.trail else -1


@dataclass(frozen=True, slots=True)
class Final:
    """The record of this digest is final by `votes`; `posts` are the messages of the phase before them.

    The views have no vote of `silent`, and two messages of `equivocal` for one slot."""

    record: Digest
    completed: Completed
    posts: dict[int, Post]
    votes: dict[int, Post]
    silent: tuple[int, ...] = ()
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


Decision = Final | Remove | GoOn


def read_view(seating: Seating, sealed: Sealed) -> Proof | None:
    """Return a view as proof, None if it proves nothing (no honest peer signs such a view)."""
    view = decode(View, sealed.envelope.payload)
    if isinstance(view, Rejection):
        return None
    ranks = [PHASES.index(phase) if phase in PHASES else -1 for phase in view.trail]
    if ranks != sorted(set(ranks)) or -1 in ranks or RECORD in view.trail:
        return None
    board = Board(seating)
    for raw in view.messages:
        opened = open_sealed(raw)
        post = opened if isinstance(opened, Rejection) else board.read(opened)
        if isinstance(post, Rejection):
            return None
        board.add(post)
    proof = Proof(cast(tuple[Phase, ...], view.trail), board)
    if proof.trail:
        last = board.posts[proof.completed].values()
        named = {post.payload.previous_set for post in last if post.payload is not None}
        if not board.is_full(proof.completed) or len(named) > 1:
            return None
    return proof


def decide(
    seating: Seating, agreed: Sequence[Sequence[Sealed]], next_phase: NextPhase, lenient_used: Collection[str]
) -> Decision:
    """The outcome of a dispute; `agreed` are the views by seat (`Agreement.agreed`).

    `lenient_used` are the completed phases at which rule 5 was already used. If no view proves a
    phase, every participant misses the step."""
    proofs = [read_view(seating, views[0]) if len(views) == 1 else None for views in agreed]
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
        return replace(final, silent=tuple(sorted(silent)), equivocal=tuple(sorted(equivocal)))
    best = max(held, key=lambda proof: proof.rank, default=None)
    if best is None:
        return Remove(tuple(seating.state.miss(peer, Cause.SILENT) for peer in seating.participants))
    completed = best.completed
    posts = best.board.posts[completed] if completed else {}
    following = next_phase(completed, posts)
    collecting = RECORD if isinstance(following, Ending) else following
    removals = _offenders(seating, agreed, proofs, union, collecting, completed, posts)
    if removals:
        return Remove(removals)
    missing = union.missing(collecting)
    if not missing or completed not in lenient_used:
        return GoOn(completed, dict(posts), dict(union.posts[collecting]))
    return Remove(tuple(_missing(seating, seat, collecting) for seat in missing))


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


def _offenders(
    seating: Seating,
    agreed: Sequence[Sequence[Sealed]],
    proofs: Sequence[Proof | None],
    union: Board,
    collecting: Phase,
    completed: Completed,
    posts: dict[int, Post],
) -> tuple[Removal, ...]:
    peers = seating.participants
    found: dict[int, Removal] = {}
    for seat, views in enumerate(agreed):
        if len(views) > 1:
            found[seat] = Removal(peers[seat], BAN, Cause.EQUIVOCATION)
        elif proofs[seat] is None:
            found[seat] = _missing(seating, seat, collecting)
    for _, seat in union.conflicts:
        found[seat] = Removal(peers[seat], BAN, Cause.EQUIVOCATION)
    if not any(phase == completed for phase, _ in union.conflicts):
        in_order = [posts[seat] for seat in sorted(posts)]
        agreed_set = set_digest(completed, in_order) if completed else seating.state.head
        for seat, post in union.posts[collecting].items():
            if post.payload is not None and post.payload.previous_set != agreed_set:
                found.setdefault(seat, Removal(peers[seat], BAN, Cause.FALSE_DIGEST))
    return tuple(found[seat] for seat in sorted(found))


def _missing(seating: Seating, seat: int, collecting: Phase) -> Removal:
    peer = seating.participants[seat]
    if PHASES.index(REVEAL) <= PHASES.index(collecting) < PHASES.index(RECORD):
        return Removal(peer, LEAVE, Cause.silent_in(collecting))
    return seating.state.miss(peer, Cause.silent_in(collecting))
