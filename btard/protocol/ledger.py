"""Verification of a ledger: what its records say must follow from the signed messages beside them.

`check_entry` does again, on what was written down, what a peer did when it took part: it opens every
message, lets `rules.after_phase` say which phase follows and how the attempt ends, makes the record anew
and compares it byte for byte, and counts the signatures that certify it. Nothing of the rules is written
down twice.

Some facts are not signed and cannot be proven from a ledger. They rest on the majority that certified the
record: that a peer was silent, that a signed view came in time, how a peer voted about bytes
that were never public, and that `model` is what the aggregates lead to (`btard audit --recompute` compares).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import NoReturn, cast

from btard.errors import LedgerError
from btard.protocol import messages
from btard.protocol.agreed import Agreed, Seating, Sets
from btard.protocol.broadcast import Board, Post, is_at, set_digest
from btard.protocol.dispute import Remove, decide
from btard.protocol.messages import GRADIENT, PHASES, VIEW, Completed, Phase, RecordVote
from btard.protocol.record import ABORT, NOTHING, STEP, Entry, Record
from btard.protocol.rules import Ending, after_phase, make_record
from btard.protocol.state import RosterState, roster_digest
from btard.protocol.view import read_view
from btard.types import Digest, short
from btard.wire import Rejection, Sealed, decode, encode, open_sealed

EVIDENCE_MAX = 2
"""Messages that a transcript may hold of one slot: the agreed one, and one that proves an equivocation."""

_ONWARD: dict[Phase, Phase] = {messages.REVEAL: messages.SCALARS, messages.ACCUSE: messages.VERDICT}
"""Phases that end the attempt or do not, depending on sets that the views of a dispute do not hold."""
_LAST = (messages.VERDICT,)
"""Phases that always end the attempt."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A record that holds: `state` after it, `sets` the agreed payloads by phase, `signatures` how many were
    verified. `derived` is False where only the endorsements speak for the record: a dispute whose views
    this ledger does not hold."""

    record: Record
    state: RosterState
    sets: Sets
    signatures: int
    derived: bool


def replay(genesis: RosterState, entries: Iterable[Entry]) -> Iterator[Checked]:
    """Check a ledger from its first record on, one entry at a time; the last `Checked.state` is where it
    ends. Raises LedgerError at the first record that does not hold."""
    state = genesis
    for entry in entries:
        checked = check_entry(state, entry)
        yield checked
        state = checked.state


def check_entry(state: RosterState, entry: Entry) -> Checked:
    """Check the entry that follows `state`. Raises LedgerError, naming the record, if it does not hold.

    Reads `record`, `transcript` and `certificate` alone: what an entry leaves for the step after it is
    derived from them."""
    return _Check(state, entry).run()


class _Check:
    """One entry under examination."""

    def __init__(self, state: RosterState, entry: Entry) -> None:
        self._state = state
        self._entry = entry
        self._record = entry.record
        self._seating = Seating(state)
        self._peers = state.participants
        self._board = Board(self._seating)

    def run(self) -> Checked:
        if self._state.closed:
            self._fail("the run had ended")
        if not self._state.has_majority:
            self._fail("too few peers were left before it: the run had ended")
        self._place()
        if self._record.disputed:
            derived = self._disputed()
            agreed = Agreed(self._seating)
            done = None
        else:
            derived = True
            agreed = self._phases()
            done = agreed.finished() if self._record.kind == STEP else None
            self._votes()
        return Checked(
            record=self._record,
            state=self._state.after(self._record, done),
            sets=agreed.sets,
            signatures=len(self._entry.transcript) + len(self._entry.certificate),
            derived=derived,
        )

    def _fail(self, why: str) -> NoReturn:
        raise LedgerError(f"record {self._state.index} of the ledger does not hold: {why}")

    def _place(self) -> None:
        """Where the record stands: run, chain and roster."""
        state, record = self._state, self._record
        expected: tuple[tuple[str, object, object], ...] = (
            ("is of another run", record.run, state.run),
            (f"calls itself record {record.index}", record.index, state.index),
            ("does not follow the record before it", record.previous, state.head),
            (f"is of step {record.step} instead of {state.step}", record.step, state.step),
            (f"is of attempt {record.attempt} instead of {state.attempt}", record.attempt, state.attempt),
            ("names another roster", record.participants, roster_digest(self._peers)),
        )
        for sentence, said, true in expected:
            if said != true:
                self._fail(f"it {sentence}")

    # ------------------------------------------------------------ an attempt that its phases ended

    def _phases(self) -> Agreed:
        """Follow the rules through the transcript, and make the record again; return what was agreed."""
        agreed = Agreed(self._seating)
        following: Phase | Ending = GRADIENT
        for phase, slots in self._transcript():
            if isinstance(following, Ending):
                self._fail(f"the attempt had ended before its phase {phase}")
            if phase != following:
                self._fail(f"phase {following} is due where its transcript has {phase}")
            for post in slots:
                if post.payload is not None and post.payload.previous_set != agreed.previous_set:
                    self._fail(f"{self._name(post.seat)} names another set before phase {phase}")
            agreed = agreed.after(phase, set_digest(phase, slots), [post.payload for post in slots])
            following = after_phase(self._seating, phase, agreed.sets)
        if not isinstance(following, Ending):
            self._fail(f"the attempt had not ended: phase {following} is missing")
        if agreed.coin != self._record.coin:
            self._fail("its coin is not that of the reveals")
        model = Digest(self._record.model) if following.kind == STEP else NOTHING
        self._compare(
            make_record(self._seating, following, agreed.trail, agreed.coin, model, seen=agreed.seen)
        )
        return agreed

    def _transcript(self) -> list[tuple[Phase, list[Post]]]:
        """The transcript as posts, by phase and seat. Messages beyond the agreed ones must be evidence."""
        seats = len(self._peers)
        raws = self._entry.transcript
        agreed = len(self._record.phases) * seats
        if not agreed <= len(raws) <= EVIDENCE_MAX * agreed:
            self._fail(f"its transcript has {len(raws)} messages, {agreed} belong to its phases")
        posts = [self._post(raw, k) for k, raw in enumerate(raws)]
        for k, post in enumerate(posts):
            phase = post.sealed.envelope.phase
            if k >= agreed and phase not in self._record.phases:
                self._fail(f"message {k} of its transcript is of phase {phase}, which is not in it")
            if k < agreed and (self._record.phases[k // seats], k % seats) != (phase, post.seat):
                self._fail(
                    f"message {k} of its transcript is {phase} of {self._name(post.seat)}, out of order"
                )
        return [
            (cast(Phase, phase), posts[index * seats : (index + 1) * seats])
            for index, phase in enumerate(self._record.phases)
        ]

    def _post(self, raw: bytes, number: int, part: str = "transcript") -> Post:
        opened = open_sealed(raw)
        post = opened if isinstance(opened, Rejection) else self._board.read(opened)
        if isinstance(post, Rejection):
            self._fail(f"message {number} of its {part} is refused: {post.detail or post.reason.value}")
        return post

    def _votes(self) -> None:
        """More than half of the participants voted for this very record."""
        voters: list[int] = []
        for k, raw in enumerate(self._entry.certificate):
            post = self._post(raw, k, "certificate")
            if not isinstance(post.payload, RecordVote):
                self._fail(f"message {k} of its certificate is no vote")
            if post.payload.record != self._record.digest:
                self._fail(f"{self._name(post.seat)} voted for another record")
            voters.append(post.seat)
        self._majority(voters)

    # ------------------------------------------------------------ an attempt that a dispute ended

    def _disputed(self) -> bool:
        """Check the endorsements; return whether the views lead to the record too."""
        record = self._record
        self._compare(
            make_record(self._seating, Ending(ABORT, record.removals), (), NOTHING, NOTHING, disputed=True)
        )
        removed = [removal.peer for removal in record.removals]
        if not removed or removed != [peer for peer in self._peers if peer in removed]:
            self._fail("it does not remove participants of the attempt, each once and in their order")
        self._endorsements()
        if not self._entry.transcript:
            return False
        dispute, agreed = self._views()
        used = ((),) if dispute == 0 else ((), ("", *PHASES))
        if not any(_decides(self._seating, agreed, record, *each) for each in product(used, (False, True))):
            self._fail("whom it removes is not what the views of its dispute lead to")
        return True

    def _views(self) -> tuple[int, list[list[Sealed]]]:
        """Which dispute of the attempt it was, and the agreed views by seat: at most two of one author."""
        agreed: list[list[Sealed]] = [[] for _ in self._peers]
        disputes = set()
        for k, raw in enumerate(self._entry.transcript):
            sealed = self._sealed(raw, VIEW, f"view {k}")
            view = decode(messages.View, sealed.envelope.payload)
            if isinstance(view, Rejection):
                self._fail(f"view {k} is refused: {view.detail or view.reason.value}")
            disputes.add(view.dispute)
            mine = agreed[self._peers.index(sealed.envelope.sender)]
            if len(mine) == EVIDENCE_MAX or any(sealed.digest == other.digest for other in mine):
                self._fail(f"view {k} is one too many of its author")
            mine.append(sealed)
        if len(disputes) > 1:
            self._fail("its views are of different disputes")
        return disputes.pop(), agreed

    def _endorsements(self) -> None:
        """More than half of the participants signed this very record."""
        expected = encode(messages.Endorse(encode(self._record)))
        endorsers: list[int] = []
        for k, raw in enumerate(self._entry.certificate):
            sealed = self._sealed(raw, messages.ENDORSE, f"message {k} of its certificate")
            seat = self._peers.index(sealed.envelope.sender)
            if sealed.envelope.payload != expected:
                self._fail(f"{self._name(seat)} endorsed another record")
            endorsers.append(seat)
        self._majority(endorsers)

    def _sealed(self, raw: bytes, phase: str, what: str) -> Sealed:
        """A message of this attempt that has no slot on the board."""
        sealed = open_sealed(raw)
        if isinstance(sealed, Rejection):
            self._fail(f"{what} is refused: {sealed.detail or sealed.reason.value}")
        if not is_at(sealed, self._seating.place(phase)):
            self._fail(f"{what} belongs elsewhere")
        if sealed.envelope.sender not in self._peers:
            self._fail(f"{what} is of somebody who takes no part in the attempt")
        return sealed

    # ------------------------------------------------------------ both

    def _majority(self, signers: list[int]) -> None:
        if len(set(signers)) < len(signers):
            self._fail("its certificate counts a peer twice")
        if 2 * len(signers) <= len(self._peers):
            self._fail(f"{len(signers)} of {len(self._peers)} participants signed it, not more than half")

    def _compare(self, made: Record) -> None:
        """The record must be, byte for byte, the one that the messages lead to."""
        if encode(made) == encode(self._record):
            return
        differing = [f.name for f in fields(Record) if getattr(made, f.name) != getattr(self._record, f.name)]
        self._fail(f"its messages lead to another one ({', '.join(differing)})")

    def _name(self, seat: int) -> str:
        return f"peer {short(self._peers[seat])}"


def _decides(
    seating: Seating, agreed: Sequence[Sequence[Sealed]], record: Record, used: Sequence[str], ends: bool
) -> bool:
    """Return whether `dispute.decide` removes those that the record removes, if earlier disputes used up
    their lenience at the phases `used`, and the attempt `ends` where the views cannot tell."""

    def next_phase(completed: Completed, posts: dict[int, Post]) -> Phase | Ending:
        if completed == "":
            return GRADIENT
        if completed in _LAST or (completed in _ONWARD and ends):
            return Ending(ABORT)
        if completed in _ONWARD:
            return _ONWARD[completed]
        payloads = tuple(posts[seat].payload for seat in range(len(posts)))
        return after_phase(seating, completed, Agreed(seating).after(completed, NOTHING, payloads).sets)

    proofs = [read_view(seating, views[0]) if len(views) == 1 else None for views in agreed]
    decision = decide(seating, agreed, proofs, next_phase, used)
    return isinstance(decision, Remove) and decision.removals == record.removals
