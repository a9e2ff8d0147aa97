"""A peer of a run: one attempt after the other, the ledger they make, and what comes too early or too late.

The machine that node and simulator drive. It opens and routes what comes in; `attempt.py` does the rest.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace

from btard.codec import FP32, Codec
from btard.crypto import Identity
from btard.machine import Abandon, Actions, Adopt, Done, Event, Received, Send
from btard.protocol.admission import Admission, Use, kind_of
from btard.protocol.attempt import AttemptMachine, MakeDuties
from btard.protocol.beginning import Beginning
from btard.protocol.blobs import Blobs
from btard.protocol.duties import Duties
from btard.protocol.messages import CALL, ENDORSE, GRADIENT, PHASES, REQUESTS, Need, ViewRelay, Want
from btard.protocol.outputs import FINISHED, Ended, Recorded
from btard.protocol.record import BAN, LEAVE, STEP, Record
from btard.protocol.slow_path import Conclusion
from btard.protocol.state import RosterState
from btard.types import Digest, Fault, FaultKind, PeerId
from btard.wire import Claim, Envelope, Rejection, Sealed, decode, open_sealed, read_claim

EARLY_MAX = 512
"""Messages kept for a later attempt, of one sender."""

EARLY_BYTES_MAX = 8 * 2**20
"""Their bytes, of one sender."""

EARLY_BYTES_ALL = 128 * 2**20
"""Their bytes, of all members: an equal part each."""


PAST_MAX = 8
"""Attempts that a peer has ended and still answers for."""


DIRECT_EVERY = 64
"""Steps after which messages are awaited from their authors again, in case a link has been repaired."""


class PeerMachine:
    """Drives a peer through a run from `state` on, or until it loses its seat.

    `secret` (32 bytes) is this peer's entropy: all its coin shares and salts derive from it. The model has
    `dimension` parameters, which travel in `codec`. `make_duties` may wrap the honest duties. `since` is the
    `Beginning` of a step in which a machine of this peer was before: this one becomes that one.
    `beginning` is that of the step under way."""

    def __init__(
        self,
        identity: Identity,
        secret: bytes,
        state: RosterState,
        dimension: int,
        now: float,
        *,
        codec: Codec = FP32,
        make_duties: MakeDuties = Duties,
        since: Beginning | None = None,
    ) -> None:
        self.state = state
        self.ended: Ended | None = None
        self.beginning = since or Beginning(state, now)
        self._identity = identity
        self._secret = secret
        self._blobs = Blobs(dimension, codec)
        self._make_duties = make_duties
        self._reported = self.beginning.reported
        self._past: deque[AttemptMachine] = deque(maxlen=PAST_MAX)
        self._answered: set[tuple[PeerId, type[object], int, int]] = set()
        self._former: set[PeerId] = set()
        self._held_up: set[PeerId] = set()
        self._early = list(self.beginning.early)
        self._early_count: Counter[PeerId] = Counter()
        self._early_bytes: Counter[PeerId] = Counter()
        if state.finished is not None:
            self._blobs.begin_step(state.finished.aggregates)
        self.attempt = self._begin_attempt((), now)
        self._admission = Admission(len(state.members), state.config.phase_s, now)

    def _begin_attempt(self, proof: tuple[bytes, ...], now: float) -> AttemptMachine:
        return AttemptMachine(
            self._identity,
            self._secret,
            self.state,
            self._blobs,
            now,
            reported=self._reported,
            held_up=self._held_up,
            proof=proof,
            make_duties=self._make_duties,
        )

    @property
    def wake(self) -> float | None:
        """When the next tick is due."""
        return None if self.ended is not None else self.attempt.wake

    def holds(self, name: Digest) -> bool:
        """Return whether this blob is here."""
        return self._blobs.holds(name)

    @property
    def inventory(self) -> tuple[Digest, ...]:
        """The blobs that this machine relies on."""
        return self._blobs.names()

    @property
    def part_bytes_max(self) -> int:
        """The size of the largest part in the attempt under way: no blob is larger."""
        return self._blobs.part_bytes(0, max(1, len(self.state.aggregators)))

    def expects(self, sender: PeerId, name: Digest) -> bool:
        """Whether `sender` has a reason to push this blob now."""
        return self.ended is None and self.attempt.expects(sender, name)

    def reads(self, sender: PeerId, raw: bytes, now: float) -> bool:
        """Whether a control message can change anything: not if these bytes have been taken, or if the sender
        has sent more of their kind than any honest peer."""
        if self.ended is None and self.attempt.board.holds(raw):
            return False
        return not self._admission.is_over(sender, kind_of(raw), now)

    def hold_up(self, sender: PeerId) -> Actions:
        """What to do while a sender that floods is read slowly."""
        return Actions() if self.ended is not None else self.attempt.hold_up(sender)

    def begin(self, now: float) -> Actions:
        """The first effects and messages."""
        self.beginning = replace(self.beginning, now=now)
        out = self.attempt.begin(now)
        out.extend(self._take_early(now))
        return self._follow(out, now)

    def handle(self, event: Event, now: float) -> Actions:
        """Take one event. Never raises on what a peer sent."""
        if isinstance(event, Received):
            return self._follow(self._receive(event, now), now)
        if self.ended is not None:
            return Actions()
        if isinstance(event, Done) and getattr(event.effect, "step", self.state.step) < self.state.step - 1:
            return Actions()
        return self._follow(self.attempt.handle(event, now), now)

    # ------------------------------------------------------------ routing

    def _receive(self, event: Received, now: float) -> Actions:
        """Read a message as far as it is worth it; the signature is the last that is checked."""
        sender, kind = event.sender, kind_of(event.raw)
        if not self.reads(sender, event.raw, now):
            return Actions()
        if kind is Use.SEALED:
            claim = read_claim(event.raw)
            if isinstance(claim, Claim):
                return self._route(claim, event, now)
            self._admission.spend(sender, Use.FALSE, now)
            return _fault(sender, claim.reason, claim.detail)
        if not self._admission.spend(sender, kind, now):
            return _flood(sender, kind)
        request: Need | Want | ViewRelay | Rejection = decode(REQUESTS, event.raw)
        if isinstance(request, Rejection):
            return _fault(sender, request.reason, request.detail)
        if not self._knows(event.sender):
            return _fault(event.sender, FaultKind.NOT_A_MEMBER, "a request from outside of the roster")
        return self._answer(request, event, now)

    def _route(self, claim: Claim, event: Received, now: float) -> Actions:
        envelope, sender = claim.envelope, event.sender
        if envelope.run != self.state.run:
            return self._idle(sender, Rejection(FaultKind.WRONG_RUN, "a message of another run"), now)
        if envelope.phase not in PHASES and envelope.phase not in (CALL, ENDORSE):
            return self._idle(
                sender, Rejection(FaultKind.OUT_OF_BOUNDS, f"no such phase: {envelope.phase}"), now
            )
        order = self._order(envelope.step, envelope.attempt)
        if order == 0 and self.ended is None:
            return self._open(claim, event, now)
        if order > 0:
            if sender not in self.state.members:
                refused = Rejection(FaultKind.NOT_A_MEMBER, "a message from outside of the roster")
                return self._idle(sender, refused, now)
            return self._keep_early(event, now)
        idle = self._idle(sender, None, now)
        if envelope.phase in (CALL, ENDORSE) and self._knows(sender):
            return self._prove(envelope, sender)
        return idle

    def _open(self, claim: Claim, event: Received, now: float) -> Actions:
        """Take a message of the attempt under way, if anything of it is lacking and its signature holds."""
        lacks = self.attempt.lacks(claim, len(event.raw))
        if lacks is True:
            sealed = open_sealed(event.raw)
            if isinstance(sealed, Sealed):
                return self.attempt.post(sealed, event.sender, now)
            self._admission.spend(event.sender, Use.FALSE, now)
            return _fault(event.sender, sealed.reason, sealed.detail)
        return self._idle(event.sender, lacks if isinstance(lacks, Rejection) else None, now)

    def _idle(self, sender: PeerId, refused: Rejection | None, now: float) -> Actions:
        """Count a message that changes nothing, and say why if that is a fault."""
        if not self._admission.spend(sender, Use.IDLE, now):
            return _flood(sender, Use.IDLE)
        return Actions() if refused is None else _fault(sender, refused.reason, refused.detail)

    def _knows(self, sender: PeerId) -> bool:
        """Return whether a peer holds a seat, or held one: who lost it may not know it yet, and may ask."""
        return sender in self.state.members or sender in self._former

    def _answer(self, request: Need | Want | ViewRelay, event: Received, now: float) -> Actions:
        """Answer a request; one of an attempt that this peer has ended gets messages, and the proof."""
        order = self._order(request.step, request.attempt)
        if order > 0:
            return self._keep_early(event, now)
        attempt = self.attempt if order == 0 and self.ended is None else self._ended_at(request)
        if attempt is None:
            return Actions()
        if isinstance(request, Need):
            return attempt.need(request, event.sender)
        if isinstance(request, Want):
            return attempt.want(request, event.sender)
        if attempt.conclusion is not None:
            return self._prove(request, event.sender)
        return attempt.relay(request, event.sender, now)

    def _ended_at(self, place: Envelope | Need | Want | ViewRelay) -> AttemptMachine | None:
        """The attempt of `place`, if this peer has ended it and still answers for it."""
        at = (place.step, place.attempt)
        return next((past for past in self._past if (past.state.step, past.state.attempt) == at), None)

    def _prove(self, place: Envelope | ViewRelay, sender: PeerId) -> Actions:
        """The certificates of the attempts from `place` on; to each who has not ended it yet once for its
        calls or views, and once for its endorsement: by then it knows which certificate it needs."""
        out = Actions()
        if self._ended_at(place) is None:
            return out
        for past in self._past:
            at = (past.state.step, past.state.attempt)
            key = (sender, type(place), *at)
            if at < (place.step, place.attempt) or key in self._answered or past.conclusion is None:
                continue
            self._answered.add(key)
            out.messages += [Send((sender,), raw) for raw in past.conclusion.entry.certificate]
        return out

    def _order(self, step: int, attempt: int) -> int:
        mine, theirs = (self.state.step, self.state.attempt), (step, attempt)
        return (theirs > mine) - (theirs < mine)

    def _keep_early(self, event: Received, now: float) -> Actions:
        """A peer ahead of this one: kept unread until this one gets there, within bounds."""
        sender = event.sender
        fits = self._early_count[sender] < EARLY_MAX
        most = min(EARLY_BYTES_MAX, EARLY_BYTES_ALL // len(self.state.members))
        if not fits or self._early_bytes[sender] + len(event.raw) > most:
            return self._idle(
                sender, Rejection(FaultKind.FLOOD, "more messages of later attempts than are kept"), now
            )
        self._early_count[sender] += 1
        self._early_bytes[sender] += len(event.raw)
        self._early.append(event)
        return Actions()

    # ------------------------------------------------------------ from attempt to attempt

    def _follow(self, out: Actions, now: float) -> Actions:
        """Enter the next attempt where this one has ended; attempts may end at once when all is known."""
        while self.ended is None and self.attempt.conclusion is not None:
            out.extend(self._next(self.attempt.conclusion, now))
        if self.ended is None and self.attempt.halted:
            self.ended = Ended(
                f"no record of step {self.state.step} can get a majority of votes: give all peers the same "
                "version of btard and like processors, and start a new run from the last checkpoint"
            )
            out.outputs.append(self.ended)
        return out

    def _next(self, conclusion: Conclusion, now: float) -> Actions:
        out = Actions()
        entry, finished = conclusion.entry, conclusion.finished
        record = entry.record
        self.state = self.state.after(record, finished)
        out.outputs.append(Recorded(entry, self.state))
        self._past.append(self.attempt)
        kept = {(past.state.step, past.state.attempt) for past in self._past}
        self._answered = {each for each in self._answered if each[2:] in kept}
        self._former.update(self.attempt.state.members)
        heard = record.kind == STEP or GRADIENT in record.phases
        reported = conclusion.reported if heard else self._reported
        self._reported = replace(reported, seen=self.attempt.seen)
        if record.kind == STEP:
            if record.step % DIRECT_EVERY == 0:
                self._held_up.clear()
            assert finished is not None
            out.effects.append(Adopt(record.step, finished.aggregates))
            self._blobs.begin_step(finished.aggregates)
        else:
            out.effects.append(Abandon(self._blobs.begin_attempt(len(self.state.aggregators))))
        end = self._end(record)
        if end is not None:
            self.ended = Ended(end)
            out.outputs.append(self.ended)
            return out
        if record.kind == STEP:
            self.beginning = Beginning(self.state, now, self._reported, tuple(self._early))
        self.attempt = self._begin_attempt(entry.certificate, now)
        self._admission = Admission(len(self.state.members), self.state.config.phase_s, now)
        out.extend(self.attempt.begin(now))
        out.extend(self._take_early(now))
        return out

    def _take_early(self, now: float) -> Actions:
        """Take the messages that came before this attempt."""
        out = Actions()
        early, self._early = self._early, []
        self._early_count.clear()
        self._early_bytes.clear()
        for event in early:
            out.extend(self._receive(event, now))
        return out

    def _end(self, record: Record) -> str | None:
        for removal in record.removals:
            if removal.peer == self._identity.peer and removal.kind in (BAN, LEAVE):
                word = "was banned" if removal.kind == BAN else "lost its seat"
                return f"this peer {word} in step {record.step}: {removal.reason}"
        last = self._past[-1]
        if last.record == record and last.ending is not None and last.ending.stop:
            return last.ending.stop
        if self.state.closed:
            return FINISHED
        if not self.state.has_majority:
            return "too few peers take part for a majority: start a new run from the last checkpoint"
        return None


def _fault(sender: PeerId, kind: FaultKind, detail: str) -> Actions:
    return Actions(faults=[Fault(sender, kind, detail)])


def _flood(sender: PeerId, use: Use) -> Actions:
    return _fault(
        sender, FaultKind.FLOOD, f"sent more than is read in one attempt: {use.name.lower()} messages"
    )
