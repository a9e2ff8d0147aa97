"""One attempt at one step of BTARD, as a machine: phases, deadlines, and the record that ends it.

In every phase the peer first prepares what it has to say, which may take effects (`duties.py`), posts it,
and collects what the others post (`broadcast.py`); the agreed messages decide what follows (`rules.py`). At
the soft deadline it asks others for what it lacks; at the hard deadline, or on evidence, the attempt
falls into a dispute (`slow_path.py`). The machine has ended when `conclusion` is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from btard.crypto import Identity
from btard.machine import Actions, BlobHeld, Done, Effect, Event, PushBlob, Send, Tick
from btard.protocol.broadcast import Board, Post, audience
from btard.protocol.constants import ASK_SHARE, SLACK_ROUNDS
from btard.protocol.duties import Duties
from btard.protocol.messages import (
    ENDORSE,
    GRADIENT,
    PHASES,
    RECORD,
    Need,
    RecordVote,
    ViewRelay,
    Want,
)
from btard.protocol.outputs import Diverged
from btard.protocol.record import ABORT, NOTHING, STEP, Entry, Record
from btard.protocol.rules import Ending, Reported, Seating, after_phase, coin_of, finished, make_record
from btard.protocol.slow_path import SlowPath
from btard.protocol.state import Finished, RosterState, roster_digest
from btard.types import Digest, Fault, PeerId
from btard.wire import Envelope, Rejection, Sealed, encode, open_sealed, seal

NOBODY_REPORTED = Reported()


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How the attempt ended: the ledger's entry, and what the next attempt needs beside it. `finished` is
    given for a step; `reported` are the peers that a dispute about the vote left to be named."""

    entry: Entry
    finished: Finished | None = None
    reported: Reported = NOBODY_REPORTED


class AttemptMachine:
    """Drives one attempt. `secret` (32 bytes, this peer's own) is the entropy of its coin shares and salts;
    `named` are the peers to name (`messages.GradientCommitment`), `held` the blobs that arrived
    already (`Duties`); `proof` certifies the end of the attempt before this one.

    A peer of the roster that takes no part in the attempt runs the same machine: it follows the phases
    and says nothing."""

    def __init__(
        self,
        identity: Identity,
        secret: bytes,
        state: RosterState,
        dimension: int,
        now: float,
        named: Reported = NOBODY_REPORTED,
        held: dict[Digest, int] | None = None,
        proof: tuple[bytes, ...] = (),
    ) -> None:
        self.state = state
        self.attempt = Seating(state)
        self.board = Board(self.attempt)
        self.seat = self.board.seat_of.get(identity.peer)
        self.identity = identity
        self.trail: list[tuple[str, Digest]] = []
        self.sets: dict[str, tuple[Any, ...]] = {}
        self.phase = GRADIENT
        self.ending: Ending | None = None
        self.record: Record | None = None
        self.conclusion: Conclusion | None = None
        self.proof = proof
        self.out = Actions()
        self.duties = Duties(self, secret, dimension, named, {} if held is None else held)
        self._roster = roster_digest(self.attempt.participants)
        self._others = audience(state.members, identity.peer)
        self._slow = SlowPath(self)
        self._votes: dict[int, Post] = {}
        self._needs: dict[tuple[str, int], set[PeerId]] = {}
        self._wants: dict[Digest, set[PeerId]] = {}
        self._served: set[tuple[PeerId, Digest]] = set()
        self._asked = 0
        self._entered = now

    # ------------------------------------------------------------ driving

    @property
    def soft(self) -> float:
        """When this phase's work should be done: what is missing then is asked for, or complained about."""
        return self._entered + self.state.config.phase_s

    @property
    def hard(self) -> float:
        """When the attempt falls into dispute."""
        return self.soft + SLACK_ROUNDS * self.state.config.delta_s

    @property
    def wake(self) -> float | None:
        """When the next tick is due."""
        if self.conclusion is not None:
            return None
        if self._slow.active:
            return self._slow.deadline
        return (self._early, self.soft, self.hard)[self._asked]

    @property
    def _early(self) -> float:
        return self._entered + ASK_SHARE * self.state.config.phase_s

    @property
    def coin(self) -> bytes:
        """r_t once the reveals are agreed, zero before."""
        return coin_of(self.sets)

    def begin(self, now: float) -> Actions:
        """The first effects and messages of the attempt."""
        self.enter(self.phase, now)
        return self.run(now)

    def handle(self, event: Event, now: float) -> Actions:
        """Take the result of an effect, a blob or the time; messages come by `post`, `relay` and so on."""
        if isinstance(event, Done):
            self.duties.done(event.effect, event.result)
        elif isinstance(event, BlobHeld):
            self.duties.hold(event.digest, event.size_bytes if event.finite else 0)
            self._serve()
        elif isinstance(event, Tick):
            self._tick(now)
        return self.run(now)

    def effect(self, effect: Effect) -> None:
        """Ask the driver for an effect."""
        self.out.effects.append(effect)

    def run(self, now: float) -> Actions:
        """Do all that can be done now; what it takes."""
        while self._advance(now) or self._slow.reconsider(now):
            pass
        out, self.out = self.out, Actions()
        return out

    def _advance(self, now: float) -> bool:
        """Do the next thing that can be done; False where there's none."""
        if self.conclusion is not None:
            return False
        if self.phase == RECORD:
            self._make_record()
            votes = self._unanimous()
            if self.record is not None and votes is not None:
                self.end(self.record, votes)
                return False
        if self._slow.active:
            return self._slow.advance()
        if self.board.conflicts and self.seat is not None:
            return self._doubt(now)
        phase = self.phase
        if self.seat is not None and self.seat not in self.board.posts[phase]:
            payload = self._vote() if phase == RECORD else self.duties.prepare(phase, now)
            if payload is not None:
                self.say(phase, encode(payload))
                self.duties.posted(phase, payload)
                return True
        if not self.board.is_full(phase):
            return False
        if not self.board.agrees(phase, self.held):
            return self._doubt(now)
        if phase == RECORD:
            return False if self.record is None else self._doubt(now)  # somebody voted for another record
        self.complete(phase, now)
        return True

    def _doubt(self, now: float) -> bool:
        """Fall into dispute. A follower has no view to give, and would dispute alone: it waits for theirs."""
        if self.seat is not None:
            self._slow.begin(now)
        return False

    @property
    def held(self) -> Digest:
        """What this peer's next message holds: the set of the last completed phase."""
        return self.trail[-1][1] if self.trail else self.attempt.first_held()

    def complete(self, phase: str, now: float) -> None:
        """All messages of `phase` are there and agree: go on to what they decide."""
        self.sets[phase] = self.board.payloads(phase)
        self.trail.append((phase, self.board.digest(phase)))
        following = after_phase(self.attempt, phase, self.sets)
        if isinstance(following, Ending):
            self.ending, following = following, RECORD
        else:
            self.duties.completed(phase)  # a malformed set ends the attempt, and obliges nobody
        self.enter(following, now)
        self._serve()

    def enter(self, phase: str, now: float) -> None:
        """Begin a phase, or begin it again after a dispute: its deadlines count from now."""
        self.phase, self._entered, self._asked = phase, now, 0

    # ------------------------------------------------------------ the end of the attempt

    def _make_record(self) -> None:
        """The record, as soon as it can be made: that of a step takes the model after it."""
        assert self.ending is not None
        if self.record is None:
            model = self.duties.updated() if self.ending.kind == STEP else NOTHING
            if model is not None:
                self.record = make_record(self.attempt, self.ending, self.trail, self.coin, model)

    def _vote(self) -> RecordVote | None:
        return None if self.record is None else RecordVote(held=self.held, record=self.record.digest)

    def _unanimous(self) -> tuple[bytes, ...] | None:
        """Everybody's vote for this peer's record, None while one is lacking.

        That ends the attempt even in the midst of a dispute. Whoever has seen all votes has gone on, and
        takes no part in a dispute that begins afterwards: it sends these votes instead. Those who are still
        here would find it silent, and could outvote it together with Byzantine peers."""
        if self.record is None:
            return None
        wanted = RecordVote(held=self.held, record=self.record.digest)
        first = self.board.posts[RECORD]
        votes = [self._votes.get(seat) or first.get(seat) for seat in range(len(self.attempt.participants))]
        found = tuple(vote.sealed.raw for vote in votes if vote is not None and vote.payload == wanted)
        return found if len(found) == len(votes) else None

    def end(self, record: Record, votes: tuple[bytes, ...], named: Reported = NOBODY_REPORTED) -> None:
        """The attempt ends with a record that its phases led to."""
        transcript = self.board.raws(phase for phase, _ in self.trail)
        done = finished(self.attempt, self.sets, record.coin) if record.kind == STEP else None
        self.conclusion = Conclusion(Entry(record, transcript, votes), done, named)

    def end_disputed(self, record: Record, views: tuple[bytes, ...], endorsements: tuple[bytes, ...]) -> None:
        """The attempt ends with a record that agreed views led to, or that most participants endorse."""
        if self.conclusion is None:
            self.conclusion = Conclusion(Entry(record, views, endorsements))

    def diverged(self, final: Digest) -> None:
        """The others made another record of the same messages: this peer's model isn't theirs."""
        self.out.outputs.append(Diverged(self.state.step, final))

    # ------------------------------------------------------------ what comes in

    def post(self, sealed: Sealed, sender: PeerId, now: float) -> Actions:
        """A sealed message of this attempt, from its author or forwarded."""
        if sealed.envelope.phase == ENDORSE:
            self._slow.endorsed(sealed)
            return self.run(now)
        post = self.board.read(sealed)
        if isinstance(post, Rejection):
            self.out.faults.append(Fault(sender, post.reason, post.detail))
            return self.run(now)
        self._keep_vote(post)
        if self.board.add(post):
            waiting = self._needs.pop((sealed.envelope.phase, post.seat), set()) - {sender}
            if waiting:
                self.out.messages.append(Send(tuple(sorted(waiting)), sealed.raw))
        return self.run(now)

    def _keep_vote(self, post: Post) -> None:
        """A vote for our record counts, however many others its author signed before."""
        said = post.payload
        if isinstance(said, RecordVote) and self.record is not None and said.record == self.record.digest:
            self._votes.setdefault(post.seat, post)

    def need(self, request: Need, sender: PeerId) -> Actions:
        """Forward what somebody lacks: now, or as soon as it comes."""
        out = Actions()
        for seat in sorted(set(request.seats)) if request.phase in PHASES else ():
            post = self.board.posts[request.phase].get(seat)
            if post is not None:
                out.messages.append(Send((sender,), post.sealed.raw))
            elif seat < len(self.attempt.participants):
                self._needs.setdefault((request.phase, seat), set()).add(sender)
        return out

    def want(self, request: Want, sender: PeerId) -> Actions:
        """Push what somebody lacks of the blobs that it's owed: now, or as soon as they come. Each once an
        attempt, or asking would be a cheap way to use up a peer's upload."""
        room = 2 * len(self.attempt.participants) - sum(sender in who for who in self._wants.values())
        new = dict.fromkeys(Digest(d) for d in request.digests if (sender, d) not in self._served)
        for name in list(new)[: max(0, room)]:
            self._wants.setdefault(name, set()).add(sender)
        self._serve()
        out, self.out = self.out, Actions()
        return out

    def _serve(self) -> None:
        """Push the wanted blobs that are here and owed; some are wanted before this peer knows that."""
        if not self._wants or (self.ending is not None and self.ending.kind == ABORT):
            return
        owed = {peer: self.duties.servable(peer) for peer in set().union(*self._wants.values())}
        for name in [name for name in self._wants if self.duties.holds(name)]:
            to = sorted(peer for peer in self._wants[name] if name in owed[peer])
            self._wants[name] -= set(to)
            if to:
                self._served.update((peer, name) for peer in to)
                self.effect(PushBlob(name, tuple(to)))
            if not self._wants[name]:
                del self._wants[name]

    def relay(self, request: ViewRelay, sender: PeerId, now: float) -> Actions:
        """A view on its way through the agreement of a dispute."""
        if self.conclusion is None:
            self._slow.relay(request, sender, now)
        return self.run(now)

    # ------------------------------------------------------------ what goes out

    def say(self, phase: str, payload: bytes) -> Sealed:
        """Sign a message of this attempt, take it as ours, send it to the whole roster."""
        sealed = self.sign(phase, payload)
        self.out.messages.append(Send(self._others, sealed.raw))
        if phase in PHASES:
            post = self.board.read(sealed)
            assert isinstance(post, Post), post
            assert post.payload is not None, "an honest peer's payload decodes"
            self.board.add(post)
        return sealed

    def sign(self, phase: str, payload: bytes) -> Sealed:
        """Sign a message of this attempt."""
        envelope = Envelope(*self.sign_place(phase), self.identity.peer, payload)
        sealed = open_sealed(seal(self.identity, envelope))
        assert isinstance(sealed, Sealed), sealed
        return sealed

    def sign_place(self, phase: str) -> tuple[bytes, int, int, str, bytes]:
        """Run, step, attempt, phase and roster of this attempt's envelopes."""
        return (self.state.run, self.state.step, self.state.attempt, phase, self._roster)

    def ask_for(self, blobs: tuple[Digest, ...]) -> None:
        """Ask everybody for blobs that most peers hold."""
        self.ask(Want(self.state.step, self.state.attempt, blobs))

    def ask(self, request: Need | Want | ViewRelay) -> None:
        """Send an unsigned request to the whole roster."""
        self.out.messages.append(Send(self._others, encode(request)))

    def tell(self, raws: tuple[bytes, ...]) -> None:
        """Send messages that exist already to the whole roster."""
        self.out.messages += [Send(self._others, raw) for raw in raws]

    def _tick(self, now: float) -> None:
        if self._slow.active:
            self._slow.tick(now)
        elif now >= self.hard:
            if self.seat is not None:
                self._slow.begin(now)
            else:
                self.enter(self.phase, now)  # a follower waits, and asks again
        elif now >= (self._early, self.soft, self.hard)[self._asked]:
            self._asked += 1
            missing = self.board.missing(self.phase)
            if missing:
                self.ask(Need(self.state.step, self.state.attempt, self.phase, missing))
