"""The slow path of an attempt: a dispute, from the first call to the record or the way on.

A dispute begins on evidence, or on calls of f + 1 participants (`calls.py`). While it lasts the peer says
nothing new in the attempt: what it signed as its view stays true. Views go through authenticated agreement
(`agreement.py`), and the agreed views decide (`dispute.py`): the votes make a record final; or peers are
removed, by a record that more than half of the participants endorse; or everybody goes on with the messages
that the views contain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from btard.crypto import Identity, digest
from btard.machine import Actions, Send
from btard.protocol import messages
from btard.protocol.agreed import NOBODY_REPORTED, Agreed, Reported, Seating
from btard.protocol.agreement import VIEWS_MAX, Agreement
from btard.protocol.broadcast import Board, Post, audience, is_at, sign
from btard.protocol.calls import Calls
from btard.protocol.constants import tolerated
from btard.protocol.dispute import Final, GoOn, Halt, Remove, decide
from btard.protocol.messages import CALL, ENDORSE, GRADIENT, RECORD, VIEW, Completed, Phase, view_bytes_max
from btard.protocol.record import ABORT, NOTHING, STEP, Entry, Record
from btard.protocol.rules import Ending, after_phase, make_record
from btard.protocol.state import Finished
from btard.protocol.view import Proof, make_view, read_view
from btard.types import Digest, Fault, FaultKind, PeerId
from btard.wire import Claim, Rejection, Sealed, decode, encode, open_sealed, read_claim

REPEATS_MAX = 3
"""How many times an endorsement is resent while it lacks a majority."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How the attempt ended: the ledger's entry, and what the next attempt needs beside it. `finished` is
    given for a step; `reported` are the peers that a dispute about the vote left to be named."""

    entry: Entry
    finished: Finished | None = None
    reported: Reported = NOBODY_REPORTED


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A dispute whose views name phases that this follower lacks, or this participant since it was started
    again: it asks for them, and goes on waiting."""


class SlowPath:
    """The disputes of one attempt, one after the other.

    `board` holds the attempt's messages; `proof` certifies the end of the attempt before this one. Callers
    pass what is agreed by now, the phase that is collected, and whether the vote is `overdue`: the hard
    deadline of RECORD has passed, or will within the skew of honest peers."""

    def __init__(self, identity: Identity, seating: Seating, board: Board, proof: tuple[bytes, ...]) -> None:
        self._identity = identity
        self._seating = seating
        self._state = seating.state
        self._board = board
        self._proof = proof
        self._seat = board.seat_of.get(identity.peer)
        self._others = audience(self._state.members, identity.peer)
        self._calls = Calls(seating)
        self._called: tuple[int, Phase] | None = None
        self._agreement: Agreement | None = None
        self._dispute = 0
        self._resumed: set[Completed] = set()
        self._kept: dict[tuple[int, int], dict[Digest, Sealed]] = {}
        self._tries: Counter[tuple[int, PeerId, int]] = Counter()
        self._overdue = False
        self._said: tuple[bytes, ...] = ()
        self._endorsed: bytes | None = None
        self._repeat: float | None = None
        self._repeats = 0
        self._final: Final | None = None
        self._removal: Record | None = None
        self._halted = False
        self._views: tuple[bytes, ...] = ()
        self._endorsements: dict[int, tuple[bytes, bytes]] = {}

    @property
    def number(self) -> int:
        """Of the dispute under way, or the next one: how many of this attempt are over."""
        return self._dispute

    @property
    def active(self) -> bool:
        """Whether the fast path stands still."""
        return self._agreement is not None or self._settled

    @property
    def _settled(self) -> bool:
        return self._halted or self._final is not None or self._removal is not None

    @property
    def deadline(self) -> float | None:
        """When the agreement ends, or the endorsement is resent; None while effects are awaited."""
        return self._repeat if self._agreement is None else self._agreement.deadline

    # ------------------------------------------------------------ how a dispute begins

    def call(self, phase: Phase) -> Actions:
        """Call for a dispute, because the hard deadline of `phase` has passed. The same call again is a
        repetition, and goes out with those of others: a link may be broken. This peer goes on working until
        there are enough calls."""
        if self._seat is None or self.active:
            return Actions()
        sealed = sign(self._identity, self._seating, CALL, encode(messages.Call(self._dispute, phase)))
        others = self._calls.held(phase) if (self._dispute, phase) == self._called else ()
        self._called = (self._dispute, phase)
        self._calls.add(sealed)
        return self._to_all(*(raw for raw in others if raw != sealed.raw), sealed.raw)

    def called(self, sealed: Sealed, sender: PeerId) -> list[Fault]:
        """Take a call, from its author or sent on; return the fault of the sender, if it is none."""
        refused = self._calls.add(sealed)
        return [] if refused is None else [Fault(sender, refused.reason, refused.detail)]

    def lacks(self, claim: Claim) -> bool | Rejection:
        """Return whether a call or an endorsement that claims this would count anew, or why it is none of
        this attempt: before its signature is checked."""
        if claim.envelope.phase == CALL:
            return self._calls.lacks(claim)
        seat, payload = self._board.seat_of.get(claim.envelope.sender), claim.envelope.payload
        if seat is None or not is_at(claim, self._seating.place(ENDORSE)):
            return False
        said, _ = self._endorsements.get(seat, (None, b""))
        return said is None or (payload == self._endorsed and said != payload)

    @property
    def is_called(self) -> bool:
        """Whether a dispute must begin on calls."""
        return not self.active and bool(self._calls.enough())

    @property
    def acts_on_evidence(self) -> bool:
        """Whether evidence begins a dispute here. A follower has no view to give: it waits for that of a
        participant."""
        return self._seat is not None or any(dispute == self._dispute for dispute, _ in self._kept)

    def begin(self, agreed: Agreed, collecting: Phase, overdue: bool, now: float) -> Actions:
        """Fall into dispute: sign the view, start the agreement, and take the views that came before."""
        self._overdue = overdue
        state = self._state
        agreement = self._agreement = Agreement(
            self._identity,
            self._seating.participants,
            tolerated(len(state.members)),
            digest("dispute", state.head, self._dispute.to_bytes(4, "little")),
            state.config.delta_s,
            now,
        )
        out = Actions()
        if self._seat is not None:
            view = make_view(self._dispute, agreed, collecting, self._board)
            sealed = sign(self._identity, self._seating, VIEW, encode(view))
            agreement.accept(self._seat, sealed, self._unsigned(sealed), now)
            # All honest peers must begin within delta_s: who has not ended the last attempt gets the proof
            # of its end, and everybody gets the reason, on which it begins too.
            proof = self._proof if not agreed.trail else ()
            reason = self._reason(agreed, collecting)
            out.extend(self._to_all(*proof, *reason, encode(self._unsigned(sealed))))
        for author in range(len(self._seating.participants)):
            for sealed in self._kept.pop((self._dispute, author), {}).values():
                out.extend(self._accept(agreement, author, sealed, self._unsigned(sealed), now))
        return out

    def _reason(self, agreed: Agreed, collecting: Phase) -> tuple[bytes, ...]:
        """Return why the dispute begins: enough calls, or a pair of messages in one slot, or the two sets of
        messages that do not agree with each other."""
        calls_or_pair = self._calls.enough() or self._board.evidence()
        return calls_or_pair or self._board.raws((*agreed.phases[-1:], collecting))

    def relay(self, request: messages.ViewRelay, sender: PeerId, now: float) -> Actions:
        """Take a relayed view. Until the agreement on it begins it is kept unread, and begins nothing.

        Two views of an author are all that counts, from anybody: no signature of a third is checked."""
        if self._settled or request.dispute not in (self._dispute, self._dispute + 1):
            return Actions()
        agreement = self._agreement if request.dispute == self._dispute else None
        if self._holds(request, agreement):
            return Actions()
        place = self._seating.place(VIEW)
        claim = read_claim(request.view) if len(request.view) <= self._view_bytes_max else None
        if claim is None or isinstance(claim, Rejection) or not is_at(claim, place):
            return _bad_view(sender, "a relayed view is too long, or none of this attempt")
        author = self._board.seat_of.get(claim.envelope.sender)
        if author is None:
            return _bad_view(sender, "the author of a relayed view takes no part in this attempt")
        kept = self._kept.get((request.dispute, author), {})
        is_new = claim.digest not in kept and len(kept) < VIEWS_MAX
        if not (is_new if agreement is None else agreement.wants(author, claim.digest)):
            return Actions()
        tried = (request.dispute, sender, author)
        if self._tries[tried] >= VIEWS_MAX:
            return _bad_view(sender, "more views of one author than an honest peer sends on")
        self._tries[tried] += 1
        sealed = open_sealed(request.view)
        view = sealed if isinstance(sealed, Rejection) else decode(messages.View, sealed.envelope.payload)
        if isinstance(sealed, Rejection) or isinstance(view, Rejection) or view.dispute != request.dispute:
            return _bad_view(sender, "a relayed view is none of this dispute")
        if agreement is not None:
            return self._accept(agreement, author, sealed, request, now)
        self._kept.setdefault((request.dispute, author), {})[sealed.digest] = sealed
        return Actions()

    def _holds(self, request: messages.ViewRelay, agreement: Agreement | None) -> bool:
        """Whether the bytes of this view are here already: everybody relays every view."""
        if agreement is not None:
            return agreement.holds(request.view)
        kept = (views for (dispute, _), views in self._kept.items() if dispute == request.dispute)
        return any(request.view == view.raw for views in kept for view in views.values())

    def _accept(
        self, agreement: Agreement, author: int, sealed: Sealed, request: messages.ViewRelay, now: float
    ) -> Actions:
        onward = agreement.accept(author, sealed, request, now)
        return Actions() if onward is None else self._to_all(encode(onward))

    def _unsigned(self, view: Sealed) -> messages.ViewRelay:
        """A relay without signatures, which is all that the first round asks for."""
        return messages.ViewRelay(self._state.step, self._state.attempt, self._dispute, view.raw, (), ())

    @property
    def _view_bytes_max(self) -> int:
        return view_bytes_max(len(self._state.members), self._state.config.directions)

    def _to_all(self, *raws: bytes) -> Actions:
        return Actions([Send(self._others, raw) for raw in raws])

    def take_up(self, now: float) -> None:
        """Begin the rounds of the agreement again, and the repetitions of an endorsement: this peer was away,
        and others may have been."""
        if self._agreement is not None:
            self._agreement.restart(now)
        if self._repeat is not None:
            self._repeats, self._repeat = 0, now

    def forget(self) -> None:
        """Drop the views of disputes that will not be: the attempt has ended."""
        self._kept.clear()

    # ------------------------------------------------------------ what the views decide

    def tick(
        self, agreed: Agreed, now: float
    ) -> tuple[Final | GoOn | Halt | Record | Unsettled | None, Actions]:
        """Decide once the last round is over: on the way on, a final record, the record of a removal, to be
        endorsed, or the end of the run. Resend an endorsement that too few answer."""
        out = Actions()
        if self._repeat is not None and now >= self._repeat:
            self._repeats += 1
            self._repeat = now + self._state.config.phase_s if self._repeats < REPEATS_MAX else None
            out = self._to_all(*self._said)
        if self._agreement is None or now < self._agreement.deadline:
            return None, out
        views = self._agreement.agreed
        self._agreement = None
        self._dispute += 1
        self._calls.next(self._dispute)
        self._views = tuple(view.raw for of_author in views for view in of_author)
        known = {post.sealed.raw: post for post in self._board.all_posts()}
        proofs = [read_view(self._seating, each[0], known) if len(each) == 1 else None for each in views]
        for seat, author in enumerate(self._seating.participants):
            if len(views[seat]) == 1 and proofs[seat] is None:
                out.faults.append(Fault(author, FaultKind.BAD_VIEW, "its view proves nothing"))
        if not _follows(agreed, proofs):
            return Unsettled(), out

        def next_phase(completed: Completed, posts: dict[int, Post]) -> Phase | Ending:
            if completed == "":
                return GRADIENT
            known = agreed.after(completed, NOTHING, [posts[seat].payload for seat in range(len(posts))])
            return after_phase(self._seating, completed, known.sets)

        decision = decide(self._seating, views, proofs, next_phase, self._resumed)
        if isinstance(decision, Remove):
            ending = Ending(ABORT, decision.removals)
            self._removal = make_record(self._seating, ending, (), NOTHING, NOTHING, disputed=True)
            return self._removal, out
        if isinstance(decision, Final):
            self._final = decision
        elif isinstance(decision, Halt):
            self._halted = True
        else:
            self._resumed.add(decision.completed)
        return decision, out

    def conclude(self, record: Record, agreed: Agreed) -> Conclusion | Digest | None:
        """Return the end of the attempt with the record that the views made final, once this peer has made it
        too; the digest of the final record if this peer's is another; None without a final one."""
        final = self._final
        if final is None:
            return None
        if record.digest != final.record:
            return final.record
        peers = self._seating.participants
        late = [s for s in final.silent if s not in self._board.posts[RECORD]] if self._overdue else []
        # Who voted for another record did not vote for this one, in time as it may have been.
        silent = sorted({*late, *final.contrary})
        reported = Reported(tuple(peers[s] for s in silent), tuple(peers[s] for s in final.equivocal))
        votes = tuple(final.votes[s].sealed.raw for s in sorted(final.votes))
        return conclusion(record, agreed, self._board, votes, reported)

    # ------------------------------------------------------------ endorsing a removal

    def endorse(self, sealed: Sealed, now: float) -> Conclusion | None:
        """Note this peer's own endorsement, and resend it until enough others endorse too."""
        self._said, self._endorsed = (sealed.raw,), sealed.envelope.payload
        self._repeat = now + self._state.config.phase_s
        return self.endorsed(sealed)

    def endorsed(self, sealed: Sealed) -> Conclusion | None:
        """Take an endorsement. More than half of the participants bind everybody, including peers that the
        dispute passed by."""
        envelope = sealed.envelope
        seat, payload = self._board.seat_of.get(envelope.sender), envelope.payload
        if seat is None or not is_at(sealed, self._seating.place(ENDORSE)):
            return None
        # An endorsement of our record counts even if its author endorsed another one before.
        if seat not in self._endorsements or payload == self._endorsed:
            self._endorsements[seat] = (payload, sealed.raw)
        same = sorted(s for s, (said, _) in self._endorsements.items() if said == payload)
        if 2 * len(same) <= len(self._seating.participants):
            return None
        said = decode(messages.Endorse, payload)
        record = said if isinstance(said, Rejection) else decode(Record, said.record)
        if isinstance(record, Rejection) or record.kind != ABORT or record.previous != self._state.head:
            return None
        # Views of an earlier dispute, or views that led this peer elsewhere, say nothing about this record.
        views = self._views if self._removal == record else ()
        return Conclusion(Entry(record, views, tuple(self._endorsements[s][1] for s in same)))


def conclusion(
    record: Record,
    agreed: Agreed,
    board: Board,
    votes: tuple[bytes, ...],
    reported: Reported = NOBODY_REPORTED,
) -> Conclusion:
    """Return the end of an attempt with a record that its phases led to."""
    finished = agreed.finished() if record.kind == STEP else None
    return Conclusion(Entry(record, board.raws(agreed.phases), votes), finished, reported)


def _follows(agreed: Agreed, proofs: Sequence[Proof | None]) -> bool:
    """Whether a peer knows all phases before the last one that a view proves complete.

    A participant does (`dispute.py`), unless it was started again and has forgotten them; a follower may not,
    if Byzantine peers kept their messages from it.
    It goes on asking for them, and learns of a removal from those who endorse it."""
    furthest = max((proof.trail for proof in proofs if proof is not None), key=len, default=())
    return furthest[:-1] == agreed.phases[: max(0, len(furthest) - 1)]


def _bad_view(sender: PeerId, detail: str) -> Actions:
    return Actions(faults=[Fault(sender, FaultKind.BAD_VIEW, detail)])
