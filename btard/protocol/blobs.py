"""Blobs: which ones a peer holds, which it expects from whom, which it owes to whom."""

from __future__ import annotations

from collections.abc import Sequence

from btard.codec import Codec
from btard.parts import part_size
from btard.protocol import messages
from btard.protocol.agreed import Agreed
from btard.protocol.broadcast import Board
from btard.protocol.messages import ACCUSE, AGGREGATE, GRADIENT, RELAY, SCALARS, VERDICT, Phase
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

    def hold(self, name: Digest, size_bytes: int, valid: bool) -> None:
        """Note a blob that has arrived."""
        self._size_bytes[name] = size_bytes if valid else 0

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
        self.hold_parts(aggregates)

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

    It may push its part for this peer; its other parts, if parts are made public; any committed aggregate; a
    part that others relay to this peer; and, as evidence, the rows of a part that it aggregates or
    examines."""
    seating = agreed.seating
    for post in board.posts[AGGREGATE].values():
        if isinstance(post.payload, messages.AggregateCommitment) and post.payload.aggregate == name:
            return True
    seat, relayed = board.seat_of.get(sender), seating.relayed
    if me is None or seat is None:
        return False
    for author, post in board.posts[GRADIENT].items():
        if not isinstance(post.payload, messages.GradientCommitment):
            continue
        for part in (part for part, each in enumerate(post.payload.parts) if each == name):
            mine = part == me and (author == seat or (author, me) in relayed)
            public = author == seat and (phase in (AGGREGATE, RELAY) or (author, part) in relayed)
            if mine or public or (phase in (SCALARS, ACCUSE, VERDICT) and _has_rows(agreed, seat, part)):
                return True
    return False


def _has_rows(agreed: Agreed, seat: int, part: int) -> bool:
    """Return whether `seat` may have to show rows of `part`: it aggregates them, or examines them if the part
    is suspicious. A peer that is behind in SCALARS cannot know yet whether it is."""
    if agreed.seating.aggregators[part] == seat:
        return True
    return seat in draw_examiners(agreed.seating, agreed.coin, part)


def owed(agreed: Agreed, peer: PeerId) -> set[Digest]:
    """Return the blobs that `peer` may ask for: the aggregates, and parts that are relayed to it."""
    found = set(agreed.aggregates) if AGGREGATE in agreed.sets else set()
    if GRADIENT in agreed.sets:
        for sender, receiver in agreed.seating.relayed:
            if agreed.seating.participants[receiver] == peer:
                found.add(agreed.rows(receiver)[sender])
    return found - {NOTHING}
