"""Blobs: which ones a peer holds, which it expects from whom, which it owes to whom."""

from __future__ import annotations

from collections.abc import Sequence

from btard.codec import Codec
from btard.parts import part_size
from btard.protocol import messages
from btard.protocol.accusation import ROW
from btard.protocol.agreed import Agreed
from btard.protocol.broadcast import Board
from btard.protocol.messages import ACCUSE, AGGREGATE, GRADIENT, SCALARS, VERDICT, Phase
from btard.protocol.record import NOTHING
from btard.protocol.suspicion import draw_examiners
from btard.types import Digest, PeerId


class Blobs:
    """The inventory of one peer, over all attempts of a step: the size in bytes of each blob that it holds.

    A blob that is not valid in the run's codec is known, with size 0, and fits nowhere."""

    def __init__(self, dimension: int, codec: Codec) -> None:
        self._dimension = dimension
        self._codec = codec
        self._size_bytes: dict[Digest, int] = {}
        self._past: tuple[Digest, ...] = ()
        self._own: tuple[Digest, ...] = ()

    def hold(self, name: Digest, size_bytes: int, valid: bool) -> None:
        """Note a blob that has arrived."""
        self._size_bytes[name] = size_bytes if valid else 0

    def hold_gradient(self, names: Sequence[Digest]) -> None:
        """Note the parts of this machine's gradient."""
        self._own = tuple(names)
        self.hold_parts(names)

    def hold_parts(self, names: Sequence[Digest]) -> None:
        """Note a whole vector's parts, made on this machine."""
        for part, name in enumerate(names):
            self.hold_part(name, part, len(names))

    def hold_part(self, name: Digest, part: int, parts: int) -> None:
        """Note one part, made on this machine."""
        self._size_bytes[name] = self.part_bytes(part, parts)

    def names(self) -> tuple[Digest, ...]:
        """Return the blobs that the store must have."""
        return tuple(name for name, size in self._size_bytes.items() if size)

    def begin_step(self, aggregates: Sequence[Digest]) -> None:
        """Forget all but the aggregates of the step that has ended."""
        self._size_bytes.clear()
        self._own = ()
        self.hold_parts(aggregates)
        self._past = tuple(aggregates)

    def begin_attempt(self, parts: int) -> tuple[Digest, ...]:
        """Forget what came in an attempt that ended without a step; return what the store must keep. Its own
        parts stay if the vector is cut into as many again: nothing else makes them anew."""
        self._own = self._own if len(self._own) == parts else ()
        kept = {*self._past, *self._own}
        self._size_bytes = {name: size for name, size in self._size_bytes.items() if name in kept}
        return self.names()

    def knows(self, name: Digest) -> bool:
        """Return whether this blob has arrived, valid or not."""
        return name in self._size_bytes

    def holds(self, name: Digest) -> bool:
        """Return whether the store has this blob."""
        return self._size_bytes.get(name, 0) > 0

    def fits(self, name: Digest, part: int, parts: int) -> bool:
        """Return whether the store has this blob, valid and of the exact size of this part."""
        return self._size_bytes.get(name) == self.part_bytes(part, parts)

    def part_bytes(self, part: int, parts: int) -> int:
        """Return the size of a part's blob."""
        return self._codec.size_bytes(part_size(self._dimension, parts, part))


def expected(
    agreed: Agreed, board: Board, phase: Phase, me: int | None, sender: PeerId, name: Digest
) -> bool:
    """Return whether `sender` is entitled to push this blob to seat `me`; only such blobs may use memory.

    It may push its part for this peer, and, as evidence, the rows of a part that it aggregates or examines.
    Everybody may push any committed aggregate, a row of a public part, and one of which somebody is accused:
    whoever holds one serves it."""
    seating = agreed.seating
    for post in board.posts[AGGREGATE].values():
        if isinstance(post.payload, messages.AggregateCommitment) and post.payload.aggregate == name:
            return True
    seat, mine = board.seat_of.get(sender), seating.part_of(me)
    if me is None or seat is None:
        return False
    rows = {
        author: post.payload.parts
        for author, post in board.posts[GRADIENT].items()
        if isinstance(post.payload, messages.GradientCommitment)
    }
    if seat in rows and mine is not None and name in rows[seat][mine : mine + 1]:
        return True
    if seating.state.public and any(name in parts[:1] for parts in rows.values()):
        return True
    if phase in (SCALARS, ACCUSE, VERDICT):
        of_it = {part for parts in rows.values() for part, each in enumerate(parts) if each == name}
        if any(_has_rows(agreed, seat, part) for part in of_it if part < seating.parts):
            return True
    accused = {
        (said.target, said.part)
        for post in board.posts[ACCUSE].values()
        if isinstance(post.payload, messages.Accusations)
        for said in post.payload.accusations
    }
    return any(name in rows.get(target, ())[part : part + 1] for target, part in accused)


def _has_rows(agreed: Agreed, seat: int, part: int) -> bool:
    """Return whether `seat` may have to show rows of `part`: it aggregates them, or examines them if the part
    is suspicious. A peer that is behind in SCALARS cannot know yet whether it is."""
    if agreed.seating.aggregators[part] == seat:
        return True
    return seat in draw_examiners(agreed.seating, agreed.coin, part)


def owed(agreed: Agreed) -> set[Digest]:
    """Return the blobs that any peer may ask for: the rows of a public part, the aggregates, and the rows
    that are disputed."""
    found = set(agreed.aggregates) if AGGREGATE in agreed.sets else set()
    if GRADIENT in agreed.sets and agreed.seating.state.public:
        found.update(agreed.rows(0))
    for said in agreed.sets.get(ACCUSE, ()):
        found |= {agreed.rows(each.part)[each.target] for each in said.accusations if each.kind == ROW}
    return found - {NOTHING}
