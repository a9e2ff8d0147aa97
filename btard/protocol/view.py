"""Views: what a participant signs when a dispute begins, and what others can prove from it.

A view of an honest peer holds at most one message a slot, of the last completed phase and the one after it,
and one pair of evidence. A view that holds anything else proves nothing: so reading one takes no more
signature checks than an honest one needs, whoever made it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from btard.protocol.agreed import Agreed, Seating
from btard.protocol.broadcast import Board, Post
from btard.protocol.messages import PHASES, RECORD, Completed, Phase, View, view_bytes_max
from btard.types import Digest
from btard.wire import Rejection, Sealed, decode, open_sealed, read_claim

NOTHING_KNOWN: Mapping[bytes, Post] = {}


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


def make_view(dispute: int, agreed: Agreed, collecting: Phase, board: Board) -> View:
    """Return what a peer signs that collects the messages of phase `collecting`.

    The completed phase proves itself, and one pair of evidence ends a seat: these fit. Of the rest the
    longest messages stay out, should Byzantine peers have filled their slots with nonsense."""
    state = board.state
    taken: list[bytes] = []
    room = view_bytes_max(len(state.members), state.config.directions) - 1024
    rest = sorted(board.raws((collecting,)), key=len)
    for raw in dict.fromkeys((*board.raws(agreed.phases[-1:]), *board.evidence()[:2], *rest)):
        room -= len(raw) + 5
        if room >= 0:
            taken.append(raw)
    return View(dispute, agreed.phases, tuple(taken))


def read_view(seating: Seating, sealed: Sealed, known: Mapping[bytes, Post] = NOTHING_KNOWN) -> Proof | None:
    """Return a view as proof, None if it proves nothing (no honest peer signs such a view).

    `known` are posts of this attempt by their bytes, verified already. What a view proves does not depend on
    them: the same bytes are as authentic anywhere."""
    view = decode(View, sealed.envelope.payload)
    if isinstance(view, Rejection):
        return None
    ranks = [PHASES.index(phase) if phase in PHASES else -1 for phase in view.trail]
    if ranks != sorted(set(ranks)) or -1 in ranks or RECORD in view.trail:
        return None
    if len(view.messages) > 2 * len(seating.participants) + 2 or not _in_slots(view):
        return None
    board = Board(seating)
    for raw in view.messages:
        post = known.get(raw) or _verified(board, raw)
        if post is None:
            return None
        board.add(post)
    proof = Proof(cast(tuple[Phase, ...], view.trail), board)
    if proof.trail:
        last = board.posts[proof.completed].values()
        named = {post.payload.previous_set for post in last if post.payload is not None}
        if not board.is_full(proof.completed) or len(named) > 1:
            return None
    return proof


def _in_slots(view: View) -> bool:
    """Whether the messages claim one slot each, of two phases, but for one pair: no signature is checked."""
    slots: defaultdict[tuple[str, bytes], list[Digest]] = defaultdict(list)
    for raw in view.messages:
        claim = read_claim(raw)
        if isinstance(claim, Rejection):
            return False
        slots[claim.envelope.phase, claim.envelope.sender].append(claim.digest)
    pairs = [slot for slot, claimed in slots.items() if len(claimed) > 1]
    if len(pairs) > 1 or any(len(slots[slot]) > 2 or len(set(slots[slot])) < 2 for slot in pairs):
        return False
    return _are_of_two(view.trail, {phase for phase, author in slots if (phase, author) not in pairs})


def _are_of_two(trail: Sequence[str], phases: set[str]) -> bool:
    """Whether these are phases that follow each other: the last completed one, and the one collected."""
    later = phases - set(trail[-1:])
    return len(later) <= 1 and all(phase in PHASES and _is_after(phase, trail) for phase in later)


def _is_after(phase: str, trail: Sequence[str]) -> bool:
    return not trail or PHASES.index(cast(Phase, phase)) > PHASES.index(cast(Phase, trail[-1]))


def _verified(board: Board, raw: bytes) -> Post | None:
    opened = open_sealed(raw)
    post = opened if isinstance(opened, Rejection) else board.read(opened)
    return None if isinstance(post, Rejection) else post
