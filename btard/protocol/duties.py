"""What a peer does before it speaks: the honest work of each phase, as effects and payloads.

`prepare` is asked again whenever something happened, and answers None until the payload is ready. Effects
are asked for once an attempt; their results are kept by effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from btard.codec import FP32
from btard.crypto import digest
from btard.machine import (
    Aggregate,
    ComputeGradient,
    Effect,
    Fingerprint,
    Project,
    ProjectRows,
    PushBlob,
    Recompute,
    Update,
)
from btard.parts import part_size
from btard.protocol import accusation, butterfly, mprng, verification
from btard.protocol.accusation import Case
from btard.protocol.messages import (
    ACCUSE,
    AGGREGATE,
    GRADIENT,
    RELAY,
    REVEAL,
    SCALARS,
    VERDICT,
    Accusation,
    Accusations,
    AggregateCommitment,
    CoinReveal,
    GradientCommitment,
    PartScalars,
    PublishedScalars,
    RelayVotes,
    Verdicts,
    Vote,
)
from btard.protocol.record import NOTHING
from btard.protocol.rules import Reported, disputed
from btard.protocol.state import gradient_seed
from btard.protocol.tolerance import ACCUSE_FACTOR
from btard.types import Digest, PeerId, Scalars

if TYPE_CHECKING:
    from btard.protocol.attempt import AttemptMachine


def on_wire(scalars: Scalars) -> PartScalars:
    """Scalars as they are published."""
    return PartScalars(scalars.projections, scalars.norm, scalars.center)


class Duties:
    """The work of one peer in one attempt, on a model of `dimension` parameters.

    `held` maps the blobs that arrived to their size in bytes, 0 where they aren't finite."""

    def __init__(
        self, step: AttemptMachine, secret: bytes, dimension: int, named: Reported, held: dict[Digest, int]
    ) -> None:
        self._step = step
        self._state = step.state
        self._secret = secret
        self._dimension = dimension
        self._named = named
        self._held = held
        self._results: dict[Effect, Any] = {}
        self._asked: set[Effect] = set()
        self._wanted: set[Digest] = set()
        self._peers = step.attempt.participants
        self._seed = gradient_seed(step.state.coin, step.identity.peer)
        self._share, self._salt = mprng.share(secret, step.state.step, step.state.attempt)
        self._pair = next((pair for pair in step.attempt.pairs if step.seat in pair), None)
        self._prepare = {
            GRADIENT: self._gradient,
            AGGREGATE: self._aggregate,
            RELAY: self._relay,
            REVEAL: self._reveal,
            SCALARS: self._scalars,
            ACCUSE: self._accuse,
            VERDICT: self._verdict,
        }

    # ------------------------------------------------------------ effects and blobs

    def done(self, effect: Effect, result: Any) -> None:
        """Keep the result of an effect."""
        self._results[effect] = result
        if isinstance(effect, ComputeGradient):
            sizes = (
                FP32.size_bytes(part_size(self._dimension, len(result), part)) for part in range(len(result))
            )
            self._held.update(zip(result, sizes, strict=True))
        elif isinstance(effect, Aggregate) and result.aggregate is not None:
            self._held[result.aggregate] = self._part_bytes(self._seat)

    def hold(self, name: Digest, size_bytes: int) -> None:
        """This blob has arrived; 0 bytes where it isn't finite."""
        self._held[name] = size_bytes

    def holds(self, name: Digest) -> bool:
        """Whether the store has this blob."""
        return self._held.get(name, 0) > 0

    def _has(self, name: Digest, part: int) -> bool:
        """Whether the store has this blob and it's fit to be of `part`: all of it finite, and of its size."""
        return self._held.get(name) == self._part_bytes(part)

    def _part_bytes(self, part: int) -> int:
        return FP32.size_bytes(part_size(self._dimension, len(self._peers), part))

    def _ask(self, effect: Effect) -> Any:
        """The effect's result; None until it's there. Asks for it the first time."""
        if effect not in self._asked:
            self._asked.add(effect)
            self._step.effect(effect)
        return self._results.get(effect)

    def _push(self, name: Digest, to: Sequence[PeerId]) -> None:
        others = tuple(peer for peer in to if peer != self._step.identity.peer)
        if others:
            self._step.effect(PushBlob(name, others))

    # ------------------------------------------------------------ what is agreed so far

    @property
    def _seat(self) -> int:
        assert self._step.seat is not None
        return self._step.seat

    def _rows(self, part: int) -> tuple[Digest, ...]:
        return tuple(Digest(said.parts[part]) for said in self._step.sets[GRADIENT])

    @property
    def aggregates(self) -> tuple[Digest, ...]:
        """The committed aggregates, by part."""
        return tuple(Digest(said.aggregate) for said in self._step.sets[AGGREGATE])

    def servable(self, peer: PeerId) -> set[Digest]:
        """Blobs that `peer` may ask this one for: the aggregates, and parts that are relayed to it."""
        sets = self._step.sets
        found = set(self.aggregates) if AGGREGATE in sets else set()
        if GRADIENT in sets:
            for sender, receiver in self._step.attempt.relayed:
                if self._peers[receiver] == peer:
                    found.add(Digest(sets[GRADIENT][sender].parts[receiver]))
        return found - {NOTHING}

    def expects(self, sender: PeerId, name: Digest) -> bool:
        """Whether this attempt gives `sender` a reason to push this blob: what memory may be spent on.

        Its part for this peer; where parts are made public, its other parts; any committed aggregate; a part
        that others relay to this peer; and, as evidence, the rows of the part that the sender aggregates."""
        board, phase = self._step.board, self._step.phase
        commitments = {seat: post.payload for seat, post in board.posts[GRADIENT].items() if post.payload}
        if any(post.payload and post.payload.aggregate == name for post in board.posts[AGGREGATE].values()):
            return True
        me, seat = self._step.seat, board.seat_of.get(sender)
        if me is None or seat is None:
            return False
        for author, said in commitments.items():
            for part in (part for part, each in enumerate(said.parts) if each == name):
                mine = part == me and (author == seat or (author, me) in self._step.attempt.relayed)
                public = author == seat and (
                    phase in (AGGREGATE, RELAY) or (author, part) in self._step.attempt.relayed
                )
                if mine or public or (part == seat and phase in (SCALARS, ACCUSE, VERDICT)):
                    return True
        return False

    def _is_late(self, now: float) -> bool:
        return now >= self._step.soft

    # ------------------------------------------------------------ phases

    def prepare(self, phase: str, now: float) -> Any:
        """The payload of this peer in `phase`, None while it's still at work or waits for blobs."""
        return self._prepare[phase](now)

    def posted(self, phase: str, payload: Any) -> None:
        """What is sent along with a message."""
        if phase == AGGREGATE and payload.aggregate != NOTHING:
            self._push(Digest(payload.aggregate), self._state.members)
        elif phase == ACCUSE:
            for said in payload.accusations:
                if said.kind == accusation.ROW:
                    self._push(self._rows(self._seat)[said.target], self._peers)

    def completed(self, phase: str) -> None:
        """What an agreed phase obliges this peer to send."""
        if self._step.seat is None:
            return
        if phase == GRADIENT:
            relayed = set(self._step.attempt.relayed)
            for receiver, name in enumerate(self._step.sets[GRADIENT][self._seat].parts):
                public = (self._seat, receiver) in relayed
                self._push(Digest(name), self._peers if public else (self._peers[receiver],))
        elif phase == AGGREGATE:
            for sender, receiver in butterfly.complaints(self._step.sets[AGGREGATE]):
                if sender == self._seat:
                    self._push(Digest(self._step.sets[GRADIENT][sender].parts[receiver]), self._peers)
        elif phase == ACCUSE:
            self._publish_evidence()

    def _gradient(self, now: float) -> GradientCommitment | None:
        parts = self._ask(ComputeGradient(self._state.step, self._seed, len(self._peers)))
        if parts is None:
            return None
        if self._pair is not None and self._pair[0] == self._seat:
            self._recompute(self._pair[1])  # a validator's work, in time for its accusation
        coin = mprng.share_commitment(self._step.identity.peer, self._share, self._salt)
        return GradientCommitment(self._step.held, parts, coin, self._named.silent, self._named.equivocal)

    def _aggregate(self, now: float) -> AggregateCommitment | None:
        rows = self._rows(self._seat)
        missing = tuple(seat for seat, name in enumerate(rows) if not self._has(name, self._seat))
        relayed = {i for i, j in self._step.attempt.relayed if j == self._seat} & set(missing)
        self._want(rows[i] for i in sorted(relayed))
        if missing:
            return AggregateCommitment(self._step.held, NOTHING, missing) if self._is_late(now) else None
        result = self._ask(Aggregate(rows, self._state.config.tau))
        if result is None:
            return None
        if result.aggregate is None:
            return AggregateCommitment(self._step.held, NOTHING, tuple(result.invalid))
        return AggregateCommitment(self._step.held, result.aggregate, ())

    def _relay(self, now: float) -> RelayVotes | None:
        votes = []
        for sender, receiver in butterfly.complaints(self._step.sets[AGGREGATE]):
            name = Digest(self._step.sets[GRADIENT][sender].parts[receiver])
            if name not in self._held:
                if not self._is_late(now):
                    return None
                votes.append(butterfly.ABSENT)
            else:
                votes.append(butterfly.PRESENT if self._has(name, receiver) else butterfly.INVALID)
        return RelayVotes(self._step.held, tuple(votes))

    def _reveal(self, now: float) -> CoinReveal | None:
        available = tuple(seat for seat, name in enumerate(self.aggregates) if self._has(name, seat))
        if len(available) < len(self._peers) and not self._is_late(now):
            return None
        return CoinReveal(self._step.held, self._share, self._salt, available)

    def _scalars(self, now: float) -> PublishedScalars | None:
        if not self._has_aggregates():
            return None
        effect = Project(
            self._state.step, self._seed, self.aggregates, self._step.coin, self._state.config.tau
        )
        parts = self._ask(effect)
        promise = self._fingerprint_commitment()
        if parts is None or promise is None:
            return None
        return PublishedScalars(self._step.held, tuple(on_wire(s) for s in parts), promise)

    def _has_aggregates(self) -> bool:
        """Most peers hold every aggregate by now, so what is lacking here can be had from them."""
        lacking = tuple(name for part, name in enumerate(self.aggregates) if not self._has(name, part))
        self._want(lacking)
        return not lacking

    def _want(self, names: Iterable[Digest]) -> None:
        """Ask everybody for blobs, for each of them once."""
        new = tuple(name for name in dict.fromkeys(names) if name not in self._wanted)
        if new:
            self._wanted.update(new)
            self._step.ask_for(new)

    def _accuse(self, now: float) -> Accusations | None:
        rows = self._ask(self._project_rows(self._seat))
        if rows is None:
            return None
        published: Sequence[PublishedScalars] = self._step.sets[SCALARS]
        tau = self._state.config.tau
        found = [
            Accusation(accusation.ROW, seat)
            for seat, true in enumerate(rows)
            if seat != self._seat
            and true is not None
            and verification.row_is_false(published[seat].parts[self._seat], true, tau, ACCUSE_FACTOR)
        ]
        if self._pair is None:
            return Accusations(self._step.held, tuple(found), None, NOTHING)
        validator, target = self._pair
        if validator == self._seat:
            true = self._recompute(target)
            if true is None:
                return None
            if verification.gradient_is_false(self._earlier(target), true, tau, ACCUSE_FACTOR):
                found.append(Accusation(accusation.GRADIENT, target))
        return Accusations(self._step.held, tuple(found), self._fingerprint(target), self._fingerprint_salt())

    def _verdict(self, now: float) -> Verdicts | None:
        votes = [self._judge(case, now) for case in disputed(self._step.attempt, self._step.sets)]
        done = tuple(vote for vote in votes if vote is not None)
        return Verdicts(self._step.held, done) if len(done) == len(votes) else None

    def updated(self) -> Digest | None:
        """The model digest after this step; None until the aggregates are here and applied."""
        if not self._has_aggregates():
            return None
        result: Digest | None = self._ask(Update(self._state.step, self.aggregates))
        return result

    # ------------------------------------------------------------ judging

    def _judge(self, case: Case, now: float) -> Vote | None:
        """This peer's vote; None while it can still come to one."""
        sets, tau = self._step.sets, self._state.config.tau
        if case.kind == accusation.ROW:
            name = self._rows(case.accuser)[case.target]
            published = sets[SCALARS][case.target].parts[case.accuser]
            if not self._has(name, case.accuser):
                return accusation.judge_row(case, published, None, tau) if self._is_late(now) else None
            rows = self._ask(self._project_rows(case.accuser, case.target))
            return None if rows is None else accusation.judge_row(case, published, rows[0], tau)
        if case.kind == accusation.GRADIENT:
            true = self._recompute(case.target)
            said = self._earlier(case.target)
            return None if true is None else accusation.judge_gradient(case, said, true, tau)
        if case.kind == accusation.FINGERPRINT:
            gradient = self._ask(self._fingerprint_effect(case.target))
            return None if gradient is None else accusation.judge_fingerprint(case, sets[ACCUSE], gradient)
        held = all(self._has(name, case.target) for name in self._rows(case.target))
        if not held and not self._is_late(now):
            return None
        rows = self._ask(self._project_rows(case.target))
        if rows is None:
            return None
        column = [said.parts[case.target] for said in sets[SCALARS]]
        return accusation.judge_averaging(case, column, rows, self._state.config)

    def _publish_evidence(self) -> None:
        """Whose part is averaged again by everybody (CheckAveraging) sends its rows to everybody."""
        for case in disputed(self._step.attempt, self._step.sets):
            if case.kind == accusation.AVERAGING and case.target == self._step.seat:
                for name in self._rows(case.target):
                    self._push(name, self._peers)

    def _project_rows(self, part: int, row: int | None = None) -> ProjectRows:
        rows = self._rows(part)
        return ProjectRows(
            part=part,
            parts=len(self._peers),
            rows=rows if row is None else (rows[row],),
            aggregate=self.aggregates[part],
            coin=self._step.coin,
            tau=self._state.config.tau,
        )

    # ------------------------------------------------------------ validation of the step before

    def _recompute(self, target: int) -> Any:
        past = self._state.finished
        assert past is not None
        seed = gradient_seed(past.seed_coin, self._peers[target])
        return self._ask(Recompute(past.step, seed, past.aggregates, past.coin, self._state.config.tau))

    def _earlier(self, target: int) -> tuple[PartScalars, ...]:
        past = self._state.finished
        assert past is not None
        published = past.scalars[past.participants.index(self._peers[target])]
        return tuple(on_wire(scalars) for scalars in published)

    def _fingerprint_effect(self, target: int) -> Fingerprint:
        past = self._state.finished
        assert past is not None
        seed = gradient_seed(past.seed_coin, self._peers[target])
        return Fingerprint(past.step, seed, self._step.coin)

    def _fingerprint(self, target: int) -> PartScalars | None:
        result = self._ask(self._fingerprint_effect(target))
        return None if result is None else on_wire(result)

    def _fingerprint_salt(self) -> bytes:
        place = self._state.step.to_bytes(8, "little") + self._state.attempt.to_bytes(4, "little")
        return digest("own fingerprint salt", self._secret, place)

    def _fingerprint_commitment(self) -> Digest | None:
        if self._pair is None:
            return NOTHING
        fingerprint = self._fingerprint(self._pair[1])
        if fingerprint is None:
            return None
        return accusation.fingerprint_commitment(
            self._step.identity.peer, fingerprint, self._fingerprint_salt()
        )
