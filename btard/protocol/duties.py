"""What a peer does before it speaks: the honest work of each phase, as effects and payloads.

`prepare` is asked again whenever something happened, and returns None for the payload until it is ready.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import IntEnum, auto
from typing import Any

from btard.crypto import Identity
from btard.machine import Actions, Aggregate, ComputeGradient, Effect, Project, PushBlob, Send, Update
from btard.protocol import accusation, messages, mprng, suspicion
from btard.protocol.agreed import Agreed, Reported, Seating
from btard.protocol.blobs import Blobs
from btard.protocol.broadcast import audience
from btard.protocol.examination import Examination, on_wire
from btard.protocol.messages import (
    ACCUSE,
    AGGREGATE,
    GRADIENT,
    REVEAL,
    SCALARS,
    VERDICT,
    Payload,
    Phase,
)
from btard.protocol.record import NOTHING
from btard.protocol.results import Results
from btard.protocol.state import gradient_seed
from btard.types import Digest, PeerId, Scalars
from btard.wire import encode


class Due(IntEnum):
    """How far the time of a phase has gone: what is lacking is not missed yet, is asked for, is reported; or
    is reported even if this peer began the phase before the others.

    All that a vote depends on is asked for: what came to one honest peer then comes to all."""

    WORKING = auto()
    ASKING = auto()
    LATE = auto()
    OVERDUE = auto()


class Duties:
    """The work of one peer in the attempt of `seating`.

    `secret` (32 bytes) is the entropy of its coin share and salts; `blobs` its inventory; `reported` whom it
    names (`messages.GradientCommitment`)."""

    def __init__(
        self, identity: Identity, secret: bytes, seating: Seating, blobs: Blobs, reported: Reported
    ) -> None:
        state = seating.state
        self._me = identity.peer
        self._state = state
        self._seating = seating
        self._peers = seating.participants
        self._aggregators = seating.aggregators
        self._seat = self._peers.index(self._me) if self._me in self._peers else None
        self._part = seating.part_of(self._seat)
        self._blobs = blobs
        self._reported = reported
        self._others = audience(state.members, self._me)
        self._results = Results()
        self._rows: tuple[Digest, ...] = ()
        self._wanted: set[Digest] = set()
        self._early = False
        self._seed = gradient_seed(state.coin, self._me)
        self._share, self._salt = mprng.share(secret, state.place)
        self._examination = Examination(seating, self._seat, secret, blobs, self._results)
        self._prepare = {
            GRADIENT: self._gradient,
            AGGREGATE: self._aggregate,
            REVEAL: self._reveal,
            SCALARS: self._scalars,
            ACCUSE: self._accuse,
            VERDICT: self._verdict,
        }
        self._out = Actions()

    # ------------------------------------------------------------ what the attempt asks for

    def prepare(self, phase: Phase, agreed: Agreed, due: Due) -> tuple[Payload | None, Actions]:
        """Return the payload of this peer in `phase`, None while it is at work or waits for blobs; and what
        it takes."""
        payload = self._prepare[phase](agreed, due)
        return payload, self._taken()

    def posted(self, payload: Payload, agreed: Agreed) -> Actions:
        """Return what is sent along with a message."""
        if isinstance(payload, messages.AggregateCommitment) and payload.aggregate != NOTHING:
            self._push(Digest(payload.aggregate), self._state.members)
        elif isinstance(payload, messages.Accusations):
            for said in payload.accusations:
                if said.kind == accusation.ROW:
                    self._push(agreed.rows(said.part)[said.target], self._peers)
        return self._taken()

    def completed(self, phase: Phase, agreed: Agreed) -> Actions:
        """Return the pushes that an agreed phase obliges this peer to."""
        if self._seat is None:
            return Actions()
        if phase == GRADIENT:
            # Each begins with the next seat's part: nobody gets all of its rows last.
            order = sorted(enumerate(self._aggregators), key=lambda each: each[1] <= (self._seat or 0))
            for part, seat in order:
                name = Digest(agreed.sets[GRADIENT][self._seat].parts[part])
                self._push(name, self._peers if self._state.public else (self._peers[seat],))
        elif phase == SCALARS:
            for part, bench in suspicion.examiners(self._seating, agreed.sets).items():
                if self._seating.aggregators[part] == self._seat:
                    for name in agreed.rows(part):
                        self._push(name, tuple(self._peers[seat] for seat in bench))
        return self._taken()

    def updated(self, agreed: Agreed) -> tuple[Digest | None, Actions]:
        """Return the model digest after this step; None until the aggregates are here and applied."""
        model = None
        if self._has_aggregates(agreed):
            model = self._results.of(Update(self._state.step, agreed.aggregates))
        return model, self._taken()

    def done(self, effect: Effect, result: Any) -> None:
        """Keep the result of an effect, and note the blobs that it made. It may be of an aborted attempt."""
        self._results.done(effect, result)
        if isinstance(effect, ComputeGradient) and len(result) == len(self._aggregators):
            self._blobs.hold_gradient(result)
        if self._part is None or not isinstance(effect, Aggregate) or result.aggregate is None:
            return
        if len(effect.rows) == len(self._peers) and effect.rows == self._rows:
            self._blobs.hold_part(result.aggregate, self._part, len(self._aggregators))

    def _taken(self) -> Actions:
        out, self._out = self._out, Actions()
        out.effects = [*self._results.asked(), *out.effects]
        return out

    # ------------------------------------------------------------ phases

    def _gradient(self, agreed: Agreed, due: Due) -> messages.GradientCommitment | None:
        parts: tuple[Digest, ...] | None = ()
        if self._aggregators:
            parts = self._results.of(ComputeGradient(self._state.step, self._seed, len(self._aggregators)))
        if parts is None:
            return None
        self._examination.begin()
        coin = mprng.share_commitment(self._me, self._share, self._salt)
        named = self._reported
        seen = named.seen
        return messages.GradientCommitment(
            agreed.previous_set, parts, coin, named.silent, named.equivocal, seen.took, seen.late
        )

    def _aggregate(self, agreed: Agreed, due: Due) -> messages.AggregateCommitment | None:
        nothing = messages.AggregateCommitment(agreed.previous_set, NOTHING, ())
        public = self._state.public
        if self._part is None and not public:
            return nothing
        part = self._part or 0
        self._rows = rows = agreed.rows(part)
        missing = tuple(seat for seat, name in enumerate(rows) if not self._fits(name, part))
        if missing:
            if public and due is Due.ASKING:
                self._want(rows[seat] for seat in missing)
            # Liars cannot keep back so many: the others have yet to learn the last messages of GRADIENT.
            self._early |= due is Due.LATE and len(missing) > self._state.tolerated
            complains = due is Due.OVERDUE or (due is Due.LATE and not self._early)
            return replace(nothing, missing=missing) if complains else None
        if self._part is None:
            return nothing
        result = self._results.of(Aggregate(rows, self._tau))
        if result is None:
            return None
        if result.aggregate is None:
            return messages.AggregateCommitment(agreed.previous_set, NOTHING, tuple(result.invalid))
        return messages.AggregateCommitment(agreed.previous_set, result.aggregate, ())

    def _reveal(self, agreed: Agreed, due: Due) -> messages.CoinReveal | None:
        available = tuple(part for part, name in enumerate(agreed.aggregates) if self._fits(name, part))
        if len(available) < len(self._aggregators) and due < Due.LATE:
            if due is Due.ASKING:
                self._has_aggregates(agreed)
            return None
        return messages.CoinReveal(agreed.previous_set, self._share, self._salt, available)

    def _scalars(self, agreed: Agreed, due: Due) -> messages.PublishedScalars | None:
        if not self._has_aggregates(agreed):
            return None
        parts: tuple[Scalars, ...] | None = ()
        if self._aggregators:
            effect = Project(self._state.step, self._seed, agreed.aggregates, agreed.coin, self._tau)
            parts = self._results.of(effect)
        promise = self._examination.promise(agreed)
        if parts is None or promise is None:
            return None
        return messages.PublishedScalars(agreed.previous_set, tuple(on_wire(s) for s in parts), promise)

    def _accuse(self, agreed: Agreed, due: Due) -> messages.Accusations | None:
        findings = self._examination.findings(agreed, due >= Due.LATE)
        if findings is None:
            return None
        found, lacking = findings
        return messages.Accusations(agreed.previous_set, found, *self._examination.opening(agreed), lacking)

    def _verdict(self, agreed: Agreed, due: Due) -> messages.Verdicts | None:
        votes = self._examination.verdicts(agreed, due >= Due.LATE)
        if votes is None and due is Due.ASKING:
            self._want(self._examination.lacking(agreed))
        return None if votes is None else messages.Verdicts(agreed.previous_set, votes)

    # ------------------------------------------------------------ blobs

    @property
    def _tau(self) -> float:
        """The clipping radius of a part."""
        return self._state.config.part_tau(len(self._aggregators))

    def _fits(self, name: Digest, part: int) -> bool:
        return self._blobs.fits(name, part, len(self._aggregators))

    def _has_aggregates(self, agreed: Agreed) -> bool:
        """Return whether every aggregate is here; ask for those that are lacking."""
        lacking = [name for part, name in enumerate(agreed.aggregates) if not self._fits(name, part)]
        self._want(lacking)
        return not lacking

    def _want(self, names: Iterable[Digest]) -> None:
        """Ask everybody for blobs, for each of them once."""
        new = tuple(name for name in dict.fromkeys(names) if name not in self._wanted)
        if new:
            self._wanted.update(new)
            want = messages.Want(self._state.step, self._state.attempt, new)
            self._out.messages.append(Send(self._others, encode(want)))

    def _push(self, name: Digest, to: Sequence[PeerId]) -> None:
        others = tuple(peer for peer in to if peer != self._me)
        if others:
            self._out.effects.append(PushBlob(name, others))
