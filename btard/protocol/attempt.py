"""One attempt at one step of BTARD, as a machine: phases, deadlines, and the record that ends it.

In every phase the peer first prepares what it has to say, which may take effects (`duties.py`), posts it,
and collects what the others post (`broadcast.py`); the agreed messages decide what follows (`rules.py`). At
the soft deadline it asks others for what it lacks; at the hard deadline it calls for a dispute
(`slow_path.py`), and goes on working; on enough calls, or on evidence, the attempt falls into dispute. The
machine has ended when `conclusion` is there, or `halted`: no record can get a majority any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from btard.crypto import Identity
from btard.machine import Actions, BlobHeld, Done, Event, Send, TakenUp, Tick
from btard.protocol import messages
from btard.protocol.agreed import NOBODY_REPORTED, Agreed, Reported, Seating
from btard.protocol.asking import Asking
from btard.protocol.ballots import Ballots
from btard.protocol.blobs import Blobs, expected, owed
from btard.protocol.broadcast import Board, Post, audience, sign
from btard.protocol.clock import Clock
from btard.protocol.dispute import Final, GoOn, Halt
from btard.protocol.duties import Duties
from btard.protocol.messages import (
    CALL,
    ENDORSE,
    GRADIENT,
    PHASES,
    RECORD,
    Completed,
    Endorse,
    Payload,
    Phase,
)
from btard.protocol.outputs import Diverged
from btard.protocol.pace import Seen, Watch
from btard.protocol.record import ABORT, NOTHING, STEP, Record
from btard.protocol.requests import Requests
from btard.protocol.rules import Ending, after_phase, make_record, recomputed
from btard.protocol.slow_path import Conclusion, SlowPath, Unsettled, conclusion
from btard.protocol.state import RosterState
from btard.types import Digest, Fault, PeerId
from btard.wire import Claim, Rejection, Sealed, encode

MakeDuties = Callable[[Identity, bytes, Seating, Blobs, Reported], Duties]
"""`Duties`, or a wrapper of it."""


class AttemptMachine:
    """Drives one attempt. `secret` (32 bytes, its own) is the entropy of its coin shares and salts; `blobs`
    the inventory; `reported` whom to name (`messages.GradientCommitment`); `proof` ended the attempt before.

    A member that takes no part in the attempt runs the same machine: it follows, and says nothing."""

    def __init__(
        self,
        identity: Identity,
        secret: bytes,
        state: RosterState,
        blobs: Blobs,
        now: float,
        *,
        reported: Reported = NOBODY_REPORTED,
        held_up: set[PeerId] | None = None,
        proof: tuple[bytes, ...] = (),
        make_duties: MakeDuties = Duties,
    ) -> None:
        self.state = state
        self.seating = Seating(state)
        self.agreed = Agreed(self.seating)
        self.board = Board(self.seating)
        self.seat = self.board.seat_of.get(identity.peer)
        self.phase: Phase = GRADIENT
        self.ending: Ending | None = None
        self.record: Record | None = None
        self.conclusion: Conclusion | None = None
        self.halted = False
        self._blobs = blobs
        self._identity = identity
        self._duties = make_duties(identity, secret, self.seating, blobs, reported)
        self._slow = SlowPath(identity, self.seating, self.board, proof)
        self._requests = Requests(len(self.seating.participants))
        self._others = audience(state.members, identity.peer)
        self._late: tuple[Phase, tuple[int, ...]] = (GRADIENT, ())
        self._asking = Asking(self.board, self._others, set() if held_up is None else held_up)
        self._ballots = Ballots(self.board)
        self._out = Actions()
        self._clock = Clock(state, GRADIENT, now)
        self._watch = Watch(state, len(state.participants), sum(self.seating.pairs, ()))

    # ------------------------------------------------------------ time

    @property
    def hard(self) -> float:
        """When this peer calls for a dispute."""
        return self._clock.hard

    @property
    def wake(self) -> float | None:
        """When the next tick is due."""
        if self.conclusion is not None:
            return None
        return self._slow.deadline if self._slow.active else self._clock.deadline

    @property
    def in_dispute(self) -> bool:
        """Whether the attempt is on its slow path."""
        return self._slow.active

    @property
    def disputes(self) -> int:
        """How many disputes of this attempt are over: the number of the next."""
        return self._slow.number

    def waited(self, now: float) -> float:
        """Return for how long this phase has lasted, in seconds; 0 if it has just begun."""
        return self._clock.waited(now)

    @property
    def awaited(self) -> tuple[PeerId, ...]:
        """The participants that have yet to speak in this phase."""
        return tuple(self.seating.participants[seat] for seat in self.board.missing(self.phase))

    @property
    def seen(self) -> Seen:
        """How this attempt went, as this peer saw it."""
        return self._watch.seen(self.seating.participants)

    def _spoke(self, post: Post, now: float) -> None:
        phase = post.sealed.envelope.phase
        if phase == self.phase:
            self._watch.spoke(phase, post.seat, self.waited(now))

    def _came(self, name: Digest, now: float) -> None:
        for seat in self.agreed.owners(self.phase, self.seat, name):
            self._watch.blob_came(self.phase, seat, self.waited(now))

    def _overdue(self, now: float) -> bool:
        """Whether the vote is overdue for an honest peer: deadlines differ by at most 2 delta_s."""
        return self.phase == RECORD and now >= self.hard - 2 * self.state.config.delta_s

    def _tick(self, now: float) -> None:
        if self._slow.active:
            self._settle(now)
        elif now >= self._clock.deadline:
            if self._clock.pass_deadline():
                self._out.extend(self._slow.call(self.phase))
            self._out.extend(self._asking.at_deadline(self.phase, self.agreed.trail))

    # ------------------------------------------------------------ what comes in

    def begin(self, now: float) -> Actions:
        """Return the first effects and messages of the attempt."""
        self._enter(self.phase, now)
        return self.run(now)

    def handle(self, event: Event, now: float) -> Actions:
        """Take the result of an effect, a blob or the time; messages come by `post`, `relay` and so on."""
        if isinstance(event, Done):
            self._duties.done(event.effect, event.result)
        elif isinstance(event, BlobHeld):
            self._blobs.hold(event.digest, event.size_bytes, event.finite)
            self._came(event.digest, now)
            self._serve()
        elif isinstance(event, Tick):
            self._tick(now)
        elif isinstance(event, TakenUp):
            self._slow.take_up(now)
        return self.run(now)

    def lacks(self, claim: Claim, size_bytes: int) -> bool | Rejection:
        """Return whether a message that claims this would change anything, or why it is none of this attempt:
        only then is its signature checked."""
        if claim.envelope.phase in (CALL, ENDORSE):
            return self._slow.lacks(claim)
        lacking = self.board.lacks(claim, size_bytes)
        return self._ballots.lacks(claim, self._vote) if lacking is False else lacking

    def post(self, sealed: Sealed, sender: PeerId, now: float) -> Actions:
        """Take a sealed message of this attempt, from its author or forwarded."""
        if sealed.envelope.phase == ENDORSE:
            self._conclude(self._slow.endorsed(sealed))
            return self.run(now)
        if sealed.envelope.phase == CALL:
            self._out.faults += self._slow.called(sealed, sender)
            return self.run(now)
        post = self.board.read(sealed)
        if isinstance(post, Rejection):
            self._out.faults.append(Fault(sender, post.reason, post.detail))
            return self.run(now)
        self._ballots.take(post)
        if self.board.add(post):
            self._spoke(post, now)
            self._asking.came(sealed.envelope.sender, sealed.envelope.phase, sender)
            self._out.extend(self._requests.came(sealed, post.seat, sender))
        return self.run(now)

    def need(self, request: messages.Need, sender: PeerId) -> Actions:
        """Forward the messages that somebody lacks: now, or as soon as they come."""
        return self._requests.need(request, sender, self.board)

    def want(self, request: messages.Want, sender: PeerId) -> Actions:
        """Push the blobs that somebody lacks and is owed: now, or as soon as they come."""
        self._requests.want(request, sender)
        self._serve()
        return self._taken()

    def relay(self, request: messages.ViewRelay, sender: PeerId, now: float) -> Actions:
        """Take a view on its way through the agreement of a dispute."""
        if self.conclusion is None:
            self._out.extend(self._slow.relay(request, sender, now))
        return self.run(now)

    def expects(self, sender: PeerId, name: Digest) -> bool:
        """Return whether `sender` is entitled to push this blob now."""
        return expected(self.agreed, self.board, self.phase, self.seat, sender, name)

    def hold_up(self, sender: PeerId) -> Actions:
        """Ask the others for what `sender` says, whose messages are held up."""
        return self._asking.hold_up(sender, self.phase)

    def call(self, now: float) -> Actions:
        """Call for a dispute, as at the hard deadline."""
        self._out.extend(self._slow.call(self.phase))
        return self.run(now)

    # ------------------------------------------------------------ the fast path

    def run(self, now: float) -> Actions:
        """Advance as far as possible; return the actions that this needs."""
        while self._advance(now):
            pass
        if self.conclusion is None and self._slow.is_called:
            self._dispute(now)
        return self._taken()

    def _taken(self) -> Actions:
        out, self._out = self._out, Actions()
        return out

    def _advance(self, now: float) -> bool:
        """Do the next thing that can be done; return False if there is none."""
        if self.conclusion is not None:
            return False
        if self.phase == RECORD:
            self._make_record()
            votes = self._ballots.unanimous(self._vote)
            if self.record is not None and votes is not None:
                self._watch.completed(RECORD, self.seating.aggregators)
                self._conclude(conclusion(self.record, self.agreed, self.board, votes))
                return False
        if self._slow.active:
            self._end_final()
            return False
        if self.board.conflicts and self._slow.acts_on_evidence:
            self._dispute(now)
            return False
        if self.seat is not None and self.seat not in self.board.posts[self.phase] and self._speak(now):
            return True
        if not self.board.is_full(self.phase):
            return False
        if not self.board.agrees(self.phase, self.agreed.previous_set):
            if self._slow.acts_on_evidence:
                self._dispute(now)
            return False
        if self.phase == RECORD:
            if self.record is not None and self._slow.acts_on_evidence:  # a vote for another record
                self._dispute(now)
            return False
        self._complete(self.phase, now)
        return True

    def _speak(self, now: float) -> bool:
        """Post this peer's message of the phase; return False while it is not ready."""
        if self.phase == RECORD:
            vote = self._vote
            if vote is not None:
                self._post(RECORD, vote, now)
            return vote is not None
        payload, out = self._duties.prepare(self.phase, self.agreed, self._clock.due(now))
        self._out.extend(out)
        if payload is None:
            return False
        self._post(self.phase, payload, now)
        self._out.extend(self._duties.posted(payload, self.agreed))
        return True

    def _complete(self, phase: Phase, now: float) -> None:
        """All messages of `phase` are there and agree: go on to what they decide."""
        self._watch.completed(phase, self.seating.aggregators, self.state.public)
        self.agreed = self.agreed.after(phase, self.board.digest(phase), self.board.payloads(phase))
        following = after_phase(self.seating, phase, self.agreed.sets)
        if isinstance(following, Ending):
            self.ending, following = following, RECORD
        else:  # a malformed set ends the attempt, and obliges nobody
            self._out.extend(self._duties.completed(phase, self.agreed))
        self._enter(following, now)
        self._serve()

    def _enter(self, phase: Phase, now: float) -> None:
        """Begin a phase, or begin it again after a dispute: its deadlines count from now."""
        self.phase = phase
        self._clock.begin(phase, recomputed(self.seating, phase, self.agreed.sets), now)
        self._out.extend(self._asking.entering(phase))

    # ------------------------------------------------------------ the record

    def _make_record(self) -> None:
        """Make the record, as soon as it can be made: that of a step takes the model after it."""
        assert self.ending is not None
        if self.record is None:
            model: Digest | None = NOTHING
            agreed = self.agreed
            if self.ending.kind == STEP:
                model, out = self._duties.updated(agreed)
                self._out.extend(out)
            if model is not None:
                seen = agreed.seen
                self.record = make_record(
                    self.seating, self.ending, agreed.trail, agreed.coin, model, seen=seen
                )

    @property
    def _vote(self) -> messages.RecordVote | None:
        """This peer's vote, once it has made its record."""
        record = self.record
        return None if record is None else messages.RecordVote(self.agreed.previous_set, record.digest)

    def _conclude(self, end: Conclusion | None) -> None:
        if self.conclusion is None and end is not None:
            self.conclusion = end
            self._slow.forget()

    # ------------------------------------------------------------ the slow path

    def _dispute(self, now: float) -> None:
        overdue = now >= self._clock.soft  # else it began on evidence, and nobody is late
        self._late = (self.phase, self.board.missing(self.phase) if overdue else ())
        self._out.extend(self._slow.begin(self.agreed, self.phase, self._overdue(now), now))

    def _settle(self, now: float) -> None:
        """Do what the agreed views of a dispute decide, if they are agreed by now."""
        decision, out = self._slow.tick(self.agreed, now)
        self._out.extend(out)
        if isinstance(decision, GoOn | Unsettled):
            self._watch.resumed(*self._late, self.waited(now))
        if isinstance(decision, Final):
            self._catch_up(decision.completed, decision.posts, now)
        elif isinstance(decision, GoOn):
            self._catch_up(decision.completed, decision.posts, now)
            for post in decision.following.values():
                self.board.add(post)
            self._enter(self.phase, now)
        elif isinstance(decision, Unsettled):
            self._enter(self.phase, now)
        elif isinstance(decision, Halt):
            self.halted = True
        elif decision is not None and self.seat is not None:
            sealed = self._post(ENDORSE, messages.Endorse(encode(decision)), now)
            self._conclude(self._slow.endorse(sealed, now))

    def _catch_up(self, completed: Completed, posts: Mapping[int, Post], now: float) -> None:
        """Complete the agreed phase, in place of what this peer took for it."""
        if completed == "":
            return
        self.board.replace(completed, posts.values())
        if completed in self.agreed.phases:  # and a follower may be further, by messages that nobody else has
            if (completed, self.board.digest(completed)) in self.agreed.trail:
                return
            self.agreed = self.agreed.before(completed)
            self.ending = self.record = None
        self._complete(completed, now)

    def _end_final(self) -> None:
        """End with the final record of a dispute, once this peer has made it too."""
        end = None if self.record is None else self._slow.conclude(self.record, self.agreed)
        if isinstance(end, Conclusion):
            self._conclude(end)
        elif end is not None:
            self._out.outputs.append(Diverged(self.state.step, end))

    # ------------------------------------------------------------ what goes out

    def _post(self, phase: str, payload: Payload | Endorse, now: float) -> Sealed:
        """Sign a message of this attempt, take it as ours, send it to the whole roster."""
        sealed = sign(self._identity, self.seating, phase, encode(payload))
        self._out.messages.append(Send(self._others, sealed.raw))
        if phase in PHASES:
            post = self.board.read(sealed)
            assert isinstance(post, Post), post
            assert post.payload is not None, "an honest peer's payload decodes"
            self.board.add(post)
            self._spoke(post, now)
        return sealed

    def _serve(self) -> None:
        """Push the blobs that others wait for."""
        if self.ending is None or self.ending.kind != ABORT:
            self._out.extend(self._requests.serve(self._blobs.holds, lambda peer: owed(self.agreed)))
