"""The slow path of an attempt: a dispute, from the first view to the record or the way on.

While it lasts the peer says nothing new in the attempt: what it signed as its view stays true. Views go
through authenticated agreement (`agreement.py`), and the agreed views decide (`dispute.py`): the votes make
a record final; or peers are removed, by a record that more than half of the participants endorse; or
everybody goes on with the messages that the views contain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from btard.crypto import Identity, digest
from btard.machine import Actions, Send
from btard.protocol import messages
from btard.protocol.agreed import NOBODY_REPORTED, Agreed, Reported, Seating
from btard.protocol.agreement import Agreement
from btard.protocol.broadcast import Board, Post, audience, is_at, sign
from btard.protocol.constants import SLACK_ROUNDS
from btard.protocol.dispute import Final, GoOn, Remove, decide, read_view
from btard.protocol.messages import ENDORSE, GRADIENT, MAX_VIEW_BYTES, PHASES, RECORD, VIEW, Completed, Phase
from btard.protocol.record import ABORT, NOTHING, Entry, Record
from btard.protocol.rules import Ending, after_phase, make_record
from btard.protocol.state import Finished
from btard.types import Digest, Fault, FaultKind, PeerId
from btard.wire import Rejection, Sealed, decode, encode, open_sealed

REPEATS_MAX = 3
"""How many times an endorsement is resent while it lacks a majority."""

VIEWS_MAX = 2
"""Views kept of one author from one sender: an honest one relays two if their author signed two."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How the attempt ended: the ledger's entry, and what the next attempt needs beside it. `finished` is
    given for a step; `reported` are the peers that a dispute about the vote left to be named."""

    entry: Entry
    finished: Finished | None = None
    reported: Reported = NOBODY_REPORTED


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A dispute whose views name phases that this follower lacks: it asks for them, and goes on waiting."""


class SlowPath:
    """The disputes of one attempt, one after the other.

    `board` holds the attempt's messages and takes those of early views; `proof` certifies the end of the
    attempt before this one. Callers pass what is agreed by now, and whether the vote is `overdue`: the hard
    deadline of RECORD has passed, or will within the skew of honest peers."""

    def __init__(self, identity: Identity, seating: Seating, board: Board, proof: tuple[bytes, ...]) -> None:
        self._identity = identity
        self._seating = seating
        self._state = seating.state
        self._board = board
        self._proof = proof
        self._seat = board.seat_of.get(identity.peer)
        self._others = audience(self._state.members, identity.peer)
        self._agreement: Agreement | None = None
        self._dispute = 0
        self._resumed: dict[str, float] = {}
        self._kept: dict[tuple[PeerId, int, Digest], messages.ViewRelay] = {}
        self._overdue = False
        self._said: tuple[bytes, ...] = ()
        self._endorsed: bytes | None = None
        self._repeat: float | None = None
        self._repeats = 0
        self._final: Final | None = None
        self._removal: Record | None = None
        self._views: tuple[bytes, ...] = ()
        self._endorsements: dict[int, tuple[bytes, bytes]] = {}

    @property
    def active(self) -> bool:
        """Whether the fast path stands still."""
        return self._agreement is not None or self._settled

    @property
    def _settled(self) -> bool:
        return self._final is not None or self._removal is not None

    @property
    def deadline(self) -> float | None:
        """When the agreement ends, or the endorsement is resent; None while effects are awaited."""
        return self._repeat if self._agreement is None else self._agreement.deadline

    # ------------------------------------------------------------ views

    def begin(self, agreed: Agreed, overdue: bool, now: float) -> Actions:
        """Fall into dispute: sign the view, and start the agreement."""
        self._overdue = overdue
        state = self._state
        self._agreement = Agreement(
            self._identity,
            self._seating.participants,
            digest("dispute", state.head, self._dispute.to_bytes(4, "little")),
            state.config.delta_s,
            now,
        )
        if self._seat is None:
            return Actions()
        since = PHASES.index(agreed.phases[-1]) if agreed.phases else 0
        view = messages.View(self._dispute, agreed.phases, _within_a_view(self._board, PHASES[since:]))
        sealed = sign(self._identity, self._seating, VIEW, encode(view))
        relay = messages.ViewRelay(state.step, state.attempt, self._dispute, sealed.raw, (), ())
        self._agreement.accept(self._seat, sealed, relay, now)
        # A peer that has not ended the last attempt must be here within delta_s, too.
        raws = (*(self._proof if not agreed.trail else ()), encode(relay))
        return self._to_all(*raws)

    def relay(
        self, request: messages.ViewRelay, sender: PeerId, agreed: Agreed, overdue: bool, now: float
    ) -> Actions:
        """Take a relayed view. A valid one makes this peer join the dispute, unless it is too early
        (`_may_join`). An early view is stored, and the messages inside it are added to the board at once,
        because they may contain the evidence that justifies the dispute."""
        if self._settled or request.dispute not in (self._dispute, self._dispute + 1):
            return Actions()
        sealed = open_sealed(request.view)
        author = None if isinstance(sealed, Rejection) else self._author(sealed, request.dispute)
        if author is None or isinstance(sealed, Rejection):
            return Actions(
                faults=[Fault(sender, FaultKind.BAD_VIEW, "a relayed view is none of this dispute")]
            )
        if request.dispute == self._dispute and (self._agreement is not None or self._may_join(agreed, now)):
            return self._accept(author, sealed, request, agreed, overdue, now)
        if sum(key[:2] == (sender, author) for key in self._kept) < VIEWS_MAX:
            self._kept[sender, author, sealed.digest] = request
            proof = read_view(self._seating, sealed) if self._agreement is None else None
            for post in proof.board.all_posts() if proof is not None else ():
                self._board.add(post)
        return Actions()

    def reconsider(self, agreed: Agreed, overdue: bool, now: float) -> Actions | None:
        """Take the stored views of the dispute under way, or those whose time has come; None if there are
        none."""
        if self._settled or not self._kept:
            return None
        if self._agreement is None and not self._may_join(agreed, now):
            return None
        due = [key for key, request in self._kept.items() if request.dispute == self._dispute]
        out = Actions()
        for key in due:
            request = self._kept.pop(key)
            sealed = open_sealed(request.view)
            assert isinstance(sealed, Sealed), sealed
            out.extend(self._accept(key[1], sealed, request, agreed, overdue, now))
        return out if due else None

    def _accept(
        self,
        author: int,
        sealed: Sealed,
        request: messages.ViewRelay,
        agreed: Agreed,
        overdue: bool,
        now: float,
    ) -> Actions:
        out = self.begin(agreed, overdue, now) if self._agreement is None else Actions()
        assert self._agreement is not None
        onward = self._agreement.accept(author, sealed, request, now)
        if onward is not None:
            out.extend(self._to_all(encode(onward)))
        return out

    def _may_join(self, agreed: Agreed, now: float) -> bool:
        """Whether some honest peer's deadline can have passed by now.

        After the first dispute of a phase the deadlines of honest peers lie at most delta_s apart: a view
        that comes earlier has evidence in it, or is an attempt to disturb peers that are still at work."""
        config = self._state.config
        resumed = self._resumed.get(agreed.phases[-1] if agreed.phases else "")
        return resumed is None or now >= resumed + config.phase_s + (SLACK_ROUNDS - 1) * config.delta_s

    def _author(self, sealed: Sealed, dispute: int) -> int | None:
        """Return the seat of a view's author, None if it is no view of this dispute."""
        view = decode(messages.View, sealed.envelope.payload)
        if not is_at(sealed, self._seating.place(VIEW)) or isinstance(view, Rejection):
            return None
        return self._board.seat_of.get(sealed.envelope.sender) if view.dispute == dispute else None

    def _to_all(self, *raws: bytes) -> Actions:
        return Actions([Send(self._others, raw) for raw in raws])

    # ------------------------------------------------------------ what the views decide

    def tick(self, agreed: Agreed, now: float) -> tuple[Final | GoOn | Record | Unsettled | None, Actions]:
        """Decide once the last round is over: on the way on, a final record, or the record of a removal, to
        be endorsed. Resend an endorsement that too few answer."""
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
        self._views = tuple(view.raw for of_author in views for view in of_author)
        if self._seat is None and not self._follows(agreed, views):
            return Unsettled(), out

        def next_phase(completed: Completed, posts: dict[int, Post]) -> Phase | Ending:
            if completed == "":
                return GRADIENT
            known = agreed.after(completed, NOTHING, [posts[seat].payload for seat in range(len(posts))])
            return after_phase(self._seating, completed, known.sets)

        decision = decide(self._seating, views, next_phase, self._resumed)
        if isinstance(decision, Remove):
            ending = Ending(ABORT, decision.removals)
            self._removal = make_record(self._seating, ending, (), NOTHING, NOTHING, disputed=True)
            return self._removal, out
        if isinstance(decision, Final):
            self._final = decision
        else:
            self._resumed[decision.completed] = now
        return decision, out

    def _follows(self, agreed: Agreed, views: Sequence[Sequence[Sealed]]) -> bool:
        """Whether this peer knows all phases before the last one that a view proves complete.

        A participant does (`dispute.py`); a follower may not, if Byzantine peers kept their messages from it.
        It goes on asking for them, and learns of a removal from those who endorse it."""
        read = [read_view(self._seating, each[0]) if len(each) == 1 else None for each in views]
        furthest = max((proof.trail for proof in read if proof is not None), key=len, default=())
        return furthest[:-1] == agreed.phases[: max(0, len(furthest) - 1)]

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
        reported = Reported(tuple(peers[s] for s in late), tuple(peers[s] for s in final.equivocal))
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
    finished = None if record.kind == ABORT else agreed.finished()
    return Conclusion(Entry(record, board.raws(agreed.phases), votes), finished, reported)


def _within_a_view(board: Board, phases: Sequence[str]) -> tuple[bytes, ...]:
    """Return all messages of these phases, and the evidence, as far as a view has room.

    The first phase proves what is complete, one pair of evidence ends a seat: these fit. Of the rest, the
    longest messages stay out, should Byzantine peers have filled their slots with nonsense."""
    evidence = board.evidence()
    rest = sorted((*board.raws(phases[1:]), *evidence[2:]), key=len)
    taken: list[bytes] = []
    room = MAX_VIEW_BYTES - 1024
    for raw in dict.fromkeys((*board.raws(phases[:1]), *evidence[:2], *rest)):
        room -= len(raw) + 5
        if room >= 0:
            taken.append(raw)
    return tuple(taken)
