"""The slow path of an attempt: a dispute, from the first view to the record or the way on.

While it lasts the peer says nothing new in the attempt: what it signed as its view stays true. Views go
through authenticated agreement (`agreement.py`), and the agreed views decide (`dispute.py`): the votes make
a record final; or peers are removed, by a record that more than half of the participants endorse; or
everybody goes on with what the views contain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from btard.crypto import digest
from btard.protocol.agreement import Agreement
from btard.protocol.broadcast import Board, Post
from btard.protocol.constants import SLACK_ROUNDS
from btard.protocol.dispute import Final, GoOn, Remove, decide, read_view
from btard.protocol.messages import (
    ENDORSE,
    GRADIENT,
    MAX_VIEW_BYTES,
    PHASES,
    RECORD,
    VIEW,
    Endorse,
    View,
    ViewRelay,
)
from btard.protocol.record import ABORT, NOTHING, Record
from btard.protocol.rules import Ending, Reported, after_phase, make_record
from btard.types import Digest, Fault, FaultKind, PeerId
from btard.wire import Rejection, Sealed, decode, encode, open_sealed

if TYPE_CHECKING:
    from btard.protocol.attempt import AttemptMachine


REPEATS_MAX = 3
"""How often an endorsement is said again that too few answer."""

VIEWS_MAX = 2
"""Views kept of one author from one sender: an honest one relays two where their author signed two."""


class SlowPath:
    """The disputes of one attempt, one after the other. `step` is the machine that it belongs to."""

    def __init__(self, step: AttemptMachine) -> None:
        self._step = step
        self._agreement: Agreement | None = None
        self._dispute = 0
        self._resumed: dict[str, float] = {}
        self._kept: dict[tuple[PeerId, int, Digest], ViewRelay] = {}
        self._overdue = False
        self._said: tuple[bytes, ...] = ()
        self._repeat: float | None = None
        self._repeats = 0
        self._final: Final | None = None
        self._removal: Record | None = None
        self._views: tuple[bytes, ...] = ()
        self._endorsements: dict[int, tuple[bytes, bytes]] = {}

    @property
    def active(self) -> bool:
        """Whether the fast path stands still."""
        return self._agreement is not None or self._final is not None or self._removal is not None

    @property
    def deadline(self) -> float | None:
        """When the agreement ends, or the endorsement is said again; None while effects are awaited."""
        return self._repeat if self._agreement is None else self._agreement.deadline

    def begin(self, now: float) -> None:
        """Fall into dispute: sign the view, and start the agreement."""
        step, state = self._step, self._step.state
        # Peers come to their deadlines at most two delays apart: others may have begun before ours.
        self._overdue = step.phase == RECORD and now >= step.hard - 2 * state.config.delta_s
        self._agreement = Agreement(
            step.identity,
            step.attempt.participants,
            digest("dispute", state.head, self._dispute.to_bytes(4, "little")),
            state.config.delta_s,
            now,
        )
        if step.seat is None:
            return
        trail = tuple(phase for phase, _ in step.trail)
        since = PHASES.index(trail[-1]) if trail else 0
        view = View(self._dispute, trail, _within_a_view(step.board, PHASES[since:]))
        sealed = step.sign(VIEW, encode(view))
        relay = ViewRelay(state.step, state.attempt, self._dispute, sealed.raw, (), ())
        self._agreement.accept(step.seat, sealed, relay, now)
        if not step.trail:
            step.tell(step.proof)  # who has not yet ended the last attempt must be here within delta, too
        step.ask(relay)

    def relay(self, request: ViewRelay, sender: PeerId, now: float) -> None:
        """Take a relayed view. It draws this peer into the dispute too, but not early (`_may_join`).

        Until then it is kept, and its messages are taken: if there is a reason, it's in them."""
        if self._final is not None or self._removal is not None:
            return
        if request.dispute not in (self._dispute, self._dispute + 1):
            return
        sealed = open_sealed(request.view)
        author = None if isinstance(sealed, Rejection) else self._author(sealed, request.dispute)
        if author is None or isinstance(sealed, Rejection):
            self._step.out.faults.append(
                Fault(sender, FaultKind.BAD_VIEW, "a relayed view is none of this dispute")
            )
        elif request.dispute == self._dispute and (self._agreement is not None or self._may_join(now)):
            self._accept(author, sealed, request, now)
        elif sum(key[:2] == (sender, author) for key in self._kept) < VIEWS_MAX:
            self._kept[sender, author, sealed.digest] = request
            proof = read_view(self._step.attempt, sealed) if self._agreement is None else None
            for post in proof.board.all_posts() if proof is not None else ():
                self._step.board.add(post)

    def _accept(self, author: int, sealed: Sealed, request: ViewRelay, now: float) -> None:
        if self._agreement is None:
            self.begin(now)
        assert self._agreement is not None
        onward = self._agreement.accept(author, sealed, request, now)
        if onward is not None:
            self._step.ask(onward)

    def _may_join(self, now: float) -> bool:
        """Whether an honest peer may have begun a dispute on account of its deadline.

        After the first dispute of a phase the deadlines of honest peers lie at most delta apart: a view that
        comes earlier has evidence in it, or is an attempt to disturb those who are still at work."""
        trail, config = self._step.trail, self._step.state.config
        resumed = self._resumed.get(trail[-1][0] if trail else "")
        return resumed is None or now >= resumed + config.phase_s + (SLACK_ROUNDS - 1) * config.delta_s

    def reconsider(self, now: float) -> bool:
        """Take the kept views of the dispute under way, or whose time has come; whether there were any."""
        if self._final is not None or self._removal is not None or not self._kept:
            return False
        if self._agreement is None and not self._may_join(now):
            return False
        due = [key for key, request in self._kept.items() if request.dispute == self._dispute]
        for key in due:
            request = self._kept.pop(key)
            sealed = open_sealed(request.view)
            assert isinstance(sealed, Sealed), sealed
            self._accept(key[1], sealed, request, now)
        return bool(due)

    def _author(self, sealed: Sealed, dispute: int) -> int | None:
        """The seat of a view's author, None where it's no view of this dispute."""
        envelope, mine = sealed.envelope, self._step.sign_place(VIEW)
        view = decode(View, envelope.payload)
        if (envelope.run, envelope.step, envelope.attempt, envelope.phase, envelope.roster) != mine:
            return None
        if isinstance(view, Rejection) or view.dispute != dispute:
            return None
        return self._step.board.seat_of.get(envelope.sender)

    def tick(self, now: float) -> None:
        """The last round is over: decide. Or: nobody answers, say it again."""
        step = self._step
        if self._repeat is not None and now >= self._repeat:
            self._repeats += 1
            self._repeat = now + step.state.config.phase_s if self._repeats < REPEATS_MAX else None
            step.tell(self._said)
        if self._agreement is None or now < self._agreement.deadline:
            return
        views = self._agreement.agreed
        self._agreement = None
        self._dispute += 1
        self._views = tuple(view.raw for of_author in views for view in of_author)
        if step.seat is None and not self._follows(views):
            step.enter(step.phase, now)
            return
        decision = decide(step.attempt, views, self._next_phase, self._resumed)
        if isinstance(decision, Final):
            self._final = decision
            self._catch_up(decision.completed, decision.posts, now)
        elif isinstance(decision, GoOn):
            self._resumed[decision.completed] = now
            self._catch_up(decision.completed, decision.posts, now)
            for post in decision.following.values():
                step.board.add(post)
            step.enter(step.phase, now)
        else:
            assert isinstance(decision, Remove)
            ending = Ending(ABORT, decision.removals)
            self._removal = make_record(step.attempt, ending, (), NOTHING, NOTHING, disputed=True)
            if step.seat is not None:
                payload = encode(Endorse(encode(self._removal)))
                sealed = step.say(ENDORSE, payload)
                self._said = (sealed.raw,)
                self._repeat = now + step.state.config.phase_s
                self._endorse(step.seat, sealed, payload)

    def _follows(self, agreed: Sequence[Sequence[Sealed]]) -> bool:
        """Whether this peer knows all phases before the last one that a view proves complete.

        A participant does (`dispute.py`); a follower may not, where Byzantine peers kept their messages from
        it. It goes on asking for them, and learns of a removal from those who endorse it."""
        read = [read_view(self._step.attempt, views[0]) if len(views) == 1 else None for views in agreed]
        furthest = max((proof.trail for proof in read if proof is not None), key=len, default=())
        known = tuple(phase for phase, _ in self._step.trail)
        return furthest[:-1] == known[: max(0, len(furthest) - 1)]

    def _next_phase(self, completed: str, posts: dict[int, Post]) -> str | Ending:
        if not completed:
            return GRADIENT
        sets = {**self._step.sets, completed: tuple(posts[seat].payload for seat in range(len(posts)))}
        return after_phase(self._step.attempt, completed, sets)

    def _catch_up(self, completed: str, posts: dict[int, Post], now: float) -> None:
        """Complete the agreed phase, in place of what this peer took for it."""
        step = self._step
        if not completed:
            return
        step.board.replace(completed, posts.values())
        known = [phase for phase, _ in step.trail]
        if completed in known:  # and a follower may be further, by messages that nobody else has
            place = known.index(completed)
            if step.trail[place] == (completed, step.board.digest(completed)):
                return
            del step.trail[place:]
            step.ending = step.record = None
        step.complete(completed, now)

    def advance(self) -> bool:
        """Whether something could be done: end with the final record once this peer has made it too."""
        step, final = self._step, self._final
        if final is not None and step.record is not None:
            if step.record.digest != final.record:
                step.diverged(final.record)
                return False
            peers = step.attempt.participants
            late = [s for s in final.silent if s not in step.board.posts[RECORD]] if self._overdue else []
            named = Reported(tuple(peers[s] for s in late), tuple(peers[s] for s in final.equivocal))
            step.end(step.record, tuple(final.votes[s].sealed.raw for s in sorted(final.votes)), named)
        return False

    # ------------------------------------------------------------ endorsing a removal

    def endorsed(self, sealed: Sealed) -> None:
        """Somebody's endorsement of the record that a dispute ended in."""
        envelope = sealed.envelope
        seat = self._step.board.seat_of.get(envelope.sender)
        if seat is not None and envelope.roster == self._step.sign_place(ENDORSE)[4]:
            self._endorse(seat, sealed, envelope.payload)

    def _endorse(self, seat: int, sealed: Sealed, payload: bytes) -> None:
        """More than half of the participants bind everybody, those too whom the dispute passed by."""
        self._endorsements.setdefault(seat, (payload, sealed.raw))
        same = sorted(s for s, (said, _) in self._endorsements.items() if said == payload)
        if 2 * len(same) <= len(self._step.attempt.participants):
            return
        said = decode(Endorse, payload)
        record = said if isinstance(said, Rejection) else decode(Record, said.record)
        if isinstance(record, Rejection) or record.kind != ABORT or record.previous != self._step.state.head:
            return
        # Views of an earlier dispute, or that led this peer elsewhere, say nothing about this record.
        views = self._views if self._removal == record else ()
        self._step.end_disputed(record, views, tuple(self._endorsements[s][1] for s in same))


def _within_a_view(board: Board, phases: Sequence[str]) -> tuple[bytes, ...]:
    """All messages of these phases, and the evidence, as far as a view has room.

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
