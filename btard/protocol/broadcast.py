"""Broadcast, fast path: one signed message a peer and phase, certified by the next phase's messages.

The paper assumes a broadcast channel; peers only have links. A message of phase p carries, as
`previous_set`, the digest of the set of messages of phase p - 1 that its sender holds. All messages of phase
p, with equal `previous_set`, are a certificate of phase p - 1 that anybody can check: everyone signed the
same set. In the common case agreement costs no message of its own.

A peer enters phase p + 1 only when it holds all of phase p, so honest peers are at most one phase apart.
The fast path cannot settle silence, two messages in one slot, or unequal digests: these go to `dispute.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from btard.crypto import Identity, digest
from btard.protocol.agreed import Seating
from btard.protocol.messages import PAYLOADS, PHASES, Payload, Phase, size_max
from btard.protocol.state import roster_digest
from btard.types import Digest, FaultKind, PeerId
from btard.wire import Claim, Envelope, Rejection, Sealed, decode, open_sealed, seal


@dataclass(frozen=True, slots=True)
class Post:
    """A message in its slot. `payload` is None if its author signed bytes that do not decode."""

    seat: int
    sealed: Sealed
    payload: Payload | None


class Board:
    """The messages of one attempt, one slot for each phase and seat, and every second message of a slot.

    Bounded: phases x seats slots, and at most one conflicting message a slot."""

    def __init__(self, seating: Seating) -> None:
        self.state = seating.state
        self._roster = roster_digest(seating.participants)
        self.seat_of = {peer: seat for seat, peer in enumerate(seating.participants)}
        self.posts: dict[str, dict[int, Post]] = {phase: {} for phase in PAYLOADS}
        self.conflicts: dict[tuple[str, int], tuple[Post, Post]] = {}
        self._raws: set[bytes] = set()

    def holds(self, raw: bytes) -> bool:
        """Return whether these very bytes are in a slot: nothing needs to be read again."""
        return raw in self._raws

    def lacks(self, claim: Claim, size_bytes: int) -> bool | Rejection:
        """Return whether a message that claims this would change anything, or why it is none of this attempt.
        Only then is its signature worth a check: of each author two messages a slot."""
        seat = self._seat(claim.envelope, size_bytes)
        if isinstance(seat, Rejection):
            return seat
        place = (claim.envelope.phase, seat)
        first = self.posts[claim.envelope.phase].get(seat)
        return first is None or (first.sealed.digest != claim.digest and place not in self.conflicts)

    def read(self, sealed: Sealed) -> Post | Rejection:
        """Return a sealed message as a post of this attempt, or why it is none."""
        envelope = sealed.envelope
        seat = self._seat(envelope, len(sealed.raw))
        if isinstance(seat, Rejection):
            return seat
        payload: Payload | Rejection = decode(PAYLOADS[envelope.phase], envelope.payload)
        return Post(seat, sealed, None if isinstance(payload, Rejection) else payload)

    def _seat(self, envelope: Envelope, size_bytes: int) -> int | Rejection:
        """Return the author's seat, or why its message has no slot here."""
        state = self.state
        if envelope.run != state.run:
            return Rejection(FaultKind.WRONG_RUN, "the message belongs to another run")
        seat = self.seat_of.get(envelope.sender)
        if seat is None:
            return Rejection(FaultKind.NOT_A_MEMBER, "its author takes no part in this attempt")
        if (envelope.step, envelope.attempt) != (state.step, state.attempt) or envelope.phase not in PAYLOADS:
            return Rejection(FaultKind.OUT_OF_BOUNDS, "the message belongs to no slot of this attempt")
        if size_bytes > size_max(envelope.phase, len(state.members), state.config.directions):
            return Rejection(FaultKind.OVERSIZE, f"{size_bytes} bytes in phase {envelope.phase}")
        if envelope.roster != self._roster:
            return Rejection(FaultKind.WRONG_ROSTER, "the message was signed for another roster")
        return seat

    def add(self, post: Post) -> bool:
        """Put a post into its slot; return whether it is new there. A second, different one is a conflict."""
        phase = post.sealed.envelope.phase
        slot = self.posts[phase]
        first = slot.setdefault(post.seat, post)
        if first is post:
            self._raws.add(post.sealed.raw)
            return True
        if first.sealed.digest != post.sealed.digest:
            self.conflicts.setdefault((phase, post.seat), (first, post))
        return False

    def all_posts(self) -> tuple[Post, ...]:
        """Every post, and every second one of a slot."""
        first = [post for slot in self.posts.values() for post in slot.values()]
        return (*first, *(second for _, second in self.conflicts.values()))

    def replace(self, phase: str, posts: Iterable[Post]) -> None:
        """Take the agreed posts of a phase in place of those held."""
        self.posts[phase] = {post.seat: post for post in posts}
        self._raws = {post.sealed.raw for slot in self.posts.values() for post in slot.values()}

    def missing(self, phase: str) -> tuple[int, ...]:
        """Seats that nothing is held of."""
        slot = self.posts[phase]
        return tuple(s for s in range(len(self.seat_of)) if s not in slot)

    def is_full(self, phase: str) -> bool:
        """Return whether every seat has spoken."""
        return len(self.posts[phase]) == len(self.seat_of)

    def payloads(self, phase: str) -> tuple[Payload | None, ...]:
        """Payloads of a full phase, by seat."""
        slot = self.posts[phase]
        return tuple(slot[seat].payload for seat in range(len(slot)))

    def digest(self, phase: str) -> Digest:
        """Digest of a full phase: of what each seat said, in order."""
        return set_digest(phase, [self.posts[phase][seat] for seat in range(len(self.seat_of))])

    def agrees(self, phase: str, previous_set: bytes) -> bool:
        """Return whether all posts of a full phase name this set of the phase before.

        An undecodable payload is ignored here; the rules treat it as malformed when the phase completes."""
        return all(
            p.payload is None or p.payload.previous_set == previous_set for p in self.posts[phase].values()
        )

    def needs(
        self, phase: Phase, trail: Sequence[tuple[Phase, Digest]]
    ) -> Iterator[tuple[Phase, tuple[int, ...]]]:
        """Yield what to ask the others for in `phase`, phase and seats: the messages that are missing.

        And those of the phase before, if somebody is beyond `phase` by a set that is not in `trail`: if that
        one is honest, a liar told it and this peer different things, and others hold the proof."""
        if missing := self.missing(phase):
            yield phase, missing
        sets = {name for _, name in trail}
        later = PHASES[PHASES.index(phase) + 1 :]
        said = [post.payload for each in later for post in self.posts[each].values()]
        if trail and any(each is not None and each.previous_set not in sets for each in said):
            yield trail[-1][0], tuple(range(len(self.seat_of)))

    def raws(self, phases: Iterable[str]) -> tuple[bytes, ...]:
        """The bytes of all posts of these phases, in order."""
        return tuple(
            self.posts[phase][seat].sealed.raw for phase in phases for seat in sorted(self.posts[phase])
        )

    def evidence(self) -> tuple[bytes, ...]:
        """The bytes of one pair of conflicting posts, the one in the slot first; empty without a pair."""
        for (phase, seat), pair in sorted(self.conflicts.items(), key=lambda item: item[0]):
            first = self.posts[phase].get(seat, pair[0])
            second = next(post for post in pair if post.sealed.digest != first.sealed.digest)
            return (first.sealed.raw, second.sealed.raw)
        return ()


def set_digest(phase: str, posts: Sequence[Post]) -> Digest:
    """Digest of the set of a phase's messages, in seat order."""
    return digest("phase set", phase.encode(), *(post.sealed.digest for post in posts))


def is_at(sealed: Sealed | Claim, place: tuple[bytes, int, int, str, bytes]) -> bool:
    """Return whether a message was signed for this place (`Seating.place`)."""
    said = sealed.envelope
    return (said.run, said.step, said.attempt, said.phase, said.roster) == place


def audience(members: Sequence[PeerId], me: PeerId) -> tuple[PeerId, ...]:
    """Return everybody of the roster but this peer: peers that only lost the step follow it too."""
    return tuple(peer for peer in members if peer != me)


def sign(identity: Identity, seating: Seating, phase: str, payload: bytes) -> Sealed:
    """Sign a payload of an attempt."""
    sealed = open_sealed(seal(identity, Envelope(*seating.place(phase), identity.peer, payload)))
    assert isinstance(sealed, Sealed), sealed
    return sealed
