"""What all honest peers agree on between attempts: the roster and all that a next attempt needs.

`RosterState` changes only by `RosterState.after(record, ...)`, a pure function of a certified ledger record:
peers that hold the same ledger hold the same state, and so does an auditor who replays it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from btard.crypto import Draw, digest
from btard.protocol.constants import ASK_SHARE, ProtocolConfig, tolerated
from btard.protocol.messages import AGGREGATE, GRADIENT, PHASES, REVEAL, VERDICT, Phase
from btard.protocol.pace import Seen
from btard.protocol.record import ABORT, BAN, CLOSE, LEAVE, MISS, STEP, Cause, Record, Removal
from btard.types import Digest, PeerId, Scalars

LATE_FACTOR = 5
"""How many times the usual time of a phase is waited for what ends a seat or a step if it is missing."""

PACE_STEPS = 2
"""Steps until the pace of a run is known; the description's limits hold until then."""

PACE_WINDOW = 16
"""Steps of which the slowest says how long a phase usually takes."""

STEP_FLOOR = 6
"""The least time of a step, in delta_s, in units of which delays are charged: its phases."""

FORGIVEN = 31
"""Thousandths of a step that each step takes off what a peer is charged for delays: an honest peer is late
now and then. (In the simulator, whose work takes 0.1 to 2 s at random, 22 of them a step.)"""

LATE_FLOOR = 2
"""And at least so many delta_s: a message may have been sent again."""

AGGREGATE_FLOOR = 1.0
"""What is waited for a part beyond `patience` times the usual time, in delta_s."""


def roster_digest(peers: Sequence[PeerId]) -> Digest:
    """Digest of a roster, in its order."""
    return digest("roster", *peers)


def gradient_seed(coin: bytes, peer: PeerId) -> bytes:
    """seed_i = H(r_(t-1), i): the public seed of peer i's batch, dropout and masks (BTARD, Algorithm 1)."""
    return digest("gradient seed", coin, peer)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a finished step leaves for the validation of its gradients in the step after it: the coin
    that seeded them, the coin that projected them, who took part, the aggregates, the scalars."""

    step: int
    seed_coin: bytes
    coin: bytes
    participants: tuple[PeerId, ...]
    aggregates: tuple[Digest, ...]
    scalars: tuple[tuple[Scalars, ...], ...]


@dataclass(frozen=True, slots=True)
class RosterState:
    """Agreed by the ledger. `members` (sorted) hold seats; `excluded` lost the current step only. `coin`
    is r_(step-1). `strikes` are the missed steps, `complaints` the (sender, receiver) pairs between which
    a part did not come, each with the index of its record. `paces` are the milliseconds that each phase
    took in the last steps; `delays` how long a peer held the others up, in thousandths of a step,
    FORGIVEN of them less for each step since. `pairs` are the (validator, target) pairs that examine
    `finished`. `retried` says that an attempt of the last step was aborted. `steps` is how many the run
    has; the attempt after the last is for validation alone, and `closed` says that it is over.

    Derived: `participants` take part in the attempt, `aggregators` are those that aggregate a part."""

    run: Digest
    config: ProtocolConfig
    members: tuple[PeerId, ...]
    steps: int
    coin: bytes
    head: Digest
    index: int = 0
    step: int = 0
    attempt: int = 0
    excluded: tuple[PeerId, ...] = ()
    strikes: tuple[tuple[PeerId, int], ...] = ()
    complaints: tuple[tuple[PeerId, PeerId, int], ...] = ()
    delays: tuple[tuple[PeerId, int], ...] = ()
    paces: tuple[tuple[int, ...], ...] = ()
    pairs: tuple[tuple[PeerId, PeerId], ...] = ()
    finished: Finished | None = None
    retried: bool = False
    closed: bool = False
    participants: tuple[PeerId, ...] = field(init=False)
    aggregators: tuple[PeerId, ...] = field(init=False)

    def __post_init__(self) -> None:
        out = set(self.excluded)
        object.__setattr__(self, "participants", tuple(p for p in self.members if p not in out))
        object.__setattr__(self, "aggregators", self._aggregators())

    def _aggregators(self) -> tuple[PeerId, ...]:
        """Return the participants to which parts can be sent: those that complained of none lately. If there
        are none, they take turns to aggregate all, in `public`. After the last step there is nothing to
        aggregate."""
        if self.closing:
            return ()
        latest = self._complained
        able = tuple(peer for peer in self.participants if peer not in latest)
        turn = self.index % max(1, len(self.participants))
        return able or self.participants[turn : turn + 1]

    @property
    def _complained(self) -> dict[PeerId, int]:
        return {receiver: index for _, receiver, index in self.complaints}

    @property
    def closing(self) -> bool:
        """Whether this attempt only validates the last step's gradients, for there is no further step."""
        return self.step >= self.steps

    @property
    def public(self) -> bool:
        """Whether the one part of this attempt goes from everybody to everybody, since no link to a single
        aggregator can be relied on: all say which rows they lack, and a majority decides (`rules.py`)."""
        return any(peer in self._complained for peer in self.aggregators)

    def counterparties(self, peer: PeerId, more: Sequence[tuple[PeerId, PeerId]] = ()) -> set[PeerId]:
        """Return with whom a peer is in a complaint, as sender or receiver, within the window."""
        pairs = [*((sender, receiver) for sender, receiver, _ in self.complaints), *more]
        return {other for pair in pairs if peer in pair for other in pair if other != peer}

    @classmethod
    def genesis(
        cls, run: Digest, config: ProtocolConfig, members: Sequence[PeerId], steps: int
    ) -> RosterState:
        """The state before step 0 of `steps`. The first coin is public: step 0 has no earlier gradient to
        protect."""
        return cls(
            run=run,
            config=config,
            members=tuple(sorted(members)),
            steps=steps,
            coin=digest("genesis coin", run, *sorted(members)),
            head=digest("genesis head", run, *sorted(members)),
        )

    @property
    def place(self) -> bytes:
        """Run, step and attempt, 44 bytes: in what a peer derives for one attempt of its own secret."""
        return self.run + self.step.to_bytes(8, "little") + self.attempt.to_bytes(4, "little")

    @property
    def has_majority(self) -> bool:
        """Whether enough of the roster takes part for the attempt's outcome to bind the rest."""
        return 2 * len(self.participants) > len(self.members)

    @property
    def tolerated(self) -> int:
        """f: the largest minority of the members."""
        return tolerated(len(self.members))

    @property
    def strike(self) -> int:
        """What a missed step counts in an account. A complaint counts 1, and up to f Byzantine peers may
        complain of an honest one: `strikes` misses are more than that."""
        return 1 + -(-self.tolerated // self.config.strikes)

    @property
    def credit(self) -> int:
        """The account at which a seat ends."""
        return self.strike * self.config.strikes

    def account(self, peer: PeerId, more: Sequence[tuple[PeerId, PeerId]] = ()) -> int:
        """What is charged to a peer within the window, `more` complaints included: its missed steps, the
        peers with which it was in a complaint, each once, the rows that it kept from examiners, and the
        steps' time that the others waited for it."""
        missed = sum(1 for who, step in self.strikes if who == peer and self._recent(step))
        rows = sum(1 for sender, receiver, _ in self.complaints if sender == receiver == peer)
        rows += more.count((peer, peer))
        delayed = dict(self.delays).get(peer, 0)
        return self.strike * missed + len(self.counterparties(peer, more)) + rows + delayed // 1000

    def miss(self, peer: PeerId, reason: Cause) -> Removal:
        """Return the removal of a peer that missed the step: its seat ends when its account reaches the
        credit."""
        struck_out = self.account(peer) + self.strike >= self.credit
        return Removal(peer, LEAVE if struck_out else MISS, reason)

    def overdrawn(self, complaints: Sequence[tuple[PeerId, PeerId]]) -> tuple[PeerId, ...]:
        """Return the members whose account reaches the credit by these complaints."""
        ends = sorted({peer for pair in complaints for peer in pair})
        return tuple(peer for peer in ends if self.account(peer, complaints) >= self.credit)

    def exhausted(self, seen: Seen) -> tuple[PeerId, ...]:
        """Return the members whose account reaches the credit, what they were late by included."""
        after = replace(self, delays=self._delays(seen))
        return tuple(peer for peer in self.members if after.account(peer) >= self.credit)

    def asking_s(self, phase: Phase, limit_s: float) -> float:
        """Return after how many seconds a peer asks the others for what it lacks in a phase in which it waits
        `limit_s`: a quarter of that, or, for the rows of a public part, as soon as they would be late."""
        share = ASK_SHARE * min(self.config.phase_s, limit_s)
        return min(share, self.parts_s) if phase == AGGREGATE and self.public else share

    @property
    def parts_s(self) -> float:
        """How many seconds an aggregator waits for a part before it complains, or asks around for it."""
        if not self.took:
            return self.config.phase_s
        usual = self._growth * self.took[PHASES.index(AGGREGATE)] / 1000
        return min(self.config.phase_s, self.config.patience * usual + AGGREGATE_FLOOR * self.config.delta_s)

    @property
    def took(self) -> tuple[int, ...]:
        """How many milliseconds a phase usually takes, empty while that is not known."""
        if len(self.paces) < PACE_STEPS:
            return ()
        return tuple(max(column) for column in zip(*self.paces, strict=True))

    def _paces(self, record: Record) -> tuple[tuple[int, ...], ...]:
        """Add what a record tells of the attempt before it, if that one went through all phases."""
        if not record.took or self.attempt > 0:
            return self.paces
        took = record.took
        if self.retried and self.paces:  # its gradients were there from the attempt before
            own = PHASES.index(GRADIENT)
            took = (*took[:own], max(took[own], self.paces[-1][own]), *took[own + 1 :])
        return (*self.paces, took)[-PACE_WINDOW:]

    def _delays(self, seen: Seen) -> tuple[tuple[PeerId, int], ...]:
        """Return the delays with those of one attempt more. The first step, which warms machines up, is not
        charged."""
        usual = sum(max(column) for column in zip(*self.paces, strict=True))
        step_ms = max(int(STEP_FLOOR * 1000 * self.config.delta_s), usual, 1)
        charged = Counter(dict(self.delays))
        for late in seen.late if self.paces else ():
            charged[PeerId(late.peer)] += 1000 * late.millis // step_ms
        return tuple(sorted((peer, t) for peer, t in charged.items() if t and peer in self.members))

    @property
    def _growth(self) -> float:
        """How much longer than usual parts may be, if aggregators were lost in this step."""
        return len(self.participants) / max(1, len(self.aggregators)) if self.attempt else 1.0

    @property
    def gradient_s(self) -> float:
        """How many seconds a gradient usually takes, 0 while that is not known."""
        return self.took[PHASES.index(GRADIENT)] / 1000 if self.took else 0.0

    def patience_s(self, phase: Phase, gradients: int = 0) -> float:
        """Return after how many seconds what is missing in a phase counts as late, if some peer has to
        compute so many `gradients` in it, for its validation or for a case.

        What a phase usually takes, some times over, and never more than the run's description allows. A part
        is waited for least: to complain of it ends no seat."""
        config = self.config
        most = config.gradient_s if phase == GRADIENT else config.phase_s + gradients * config.gradient_s
        if not self.took or (phase == AGGREGATE and self.public):
            return most
        if phase == AGGREGATE:
            return self.parts_s
        usual = self.took[PHASES.index(phase)] / 1000
        if phase == VERDICT and not usual:  # it has not been seen lately
            return most
        if phase == REVEAL:  # aggregates of equal size as the rows; most may have come before it began
            usual = self._growth * max(usual, self.took[PHASES.index(AGGREGATE)] / 1000)
        work = gradients * config.patience * self.gradient_s
        return min(most, max(LATE_FACTOR * usual, LATE_FLOOR * config.delta_s) + work)

    def _recent(self, step: int) -> bool:
        return step > self.step - self.config.strike_window

    def _is_charged(self, index: int) -> bool:
        return index > self.index - self.config.strike_window

    def after(self, record: Record, finished: Finished | None) -> RosterState:
        """The state after a certified record; `finished` belongs to a STEP record, None to another."""
        gone = {r.peer for r in record.removals if r.kind in (BAN, LEAVE)}
        missed = [PeerId(r.peer) for r in record.removals if r.kind == MISS]
        said = [(PeerId(c.sender), PeerId(c.receiver), self.index) for c in record.complaints]
        common = replace(
            self,
            head=record.digest,
            index=self.index + 1,
            members=tuple(p for p in self.members if p not in gone),
            strikes=tuple(s for s in self.strikes if self._recent(s[1]) and s[0] not in gone)
            + tuple((p, self.step) for p in missed),
            paces=self._paces(record),
            delays=tuple(
                (peer, left)
                for peer, thousandths in self._delays(Seen(record.took, record.late))
                if peer not in gone and (left := thousandths - FORGIVEN * (record.kind == STEP)) > 0
            ),
            complaints=tuple(
                c for c in (*self.complaints, *said) if self._is_charged(c[2]) and not {*c[:2]} & gone
            ),
            excluded=tuple(p for p in self.excluded if p not in gone),
        )
        if record.kind == CLOSE:
            return replace(common, closed=True)
        if record.kind == ABORT:
            after = replace(
                common, attempt=self.attempt + 1, excluded=tuple(sorted({*common.excluded, *missed}))
            )
            return replace(after, pairs=after._with_substitutes(gone))
        assert record.kind == STEP
        assert finished is not None
        return replace(
            common,
            step=self.step + 1,
            attempt=0,
            retried=self.attempt > 0,
            excluded=(),
            coin=record.coin,
            pairs=draw_pairs(
                record.coin, [p for p in finished.participants if p not in gone], self.config.validators
            ),
            finished=finished,
        )

    def _with_substitutes(self, gone: Collection[bytes]) -> tuple[tuple[PeerId, PeerId], ...]:
        """Return the pairs without those whose target is `gone`. A participant that is in none, as the coin
        draws it, takes the place of a validator that is out: silence keeps nobody from being examined."""
        pairs = tuple(pair for pair in self.pairs if pair[1] not in gone)
        busy = {peer for pair in pairs for peer in pair}
        free = [peer for peer in self.participants if peer not in busy]
        order = iter(Draw(self.coin + self.attempt.to_bytes(4, "little"), "substitutes").shuffle(free))

        def validator(peer: PeerId) -> PeerId:
            return peer if peer in self.participants else next(order, peer)

        return tuple((validator(one), target) for one, target in pairs)


def draw_pairs(
    coin: bytes, participants: Sequence[PeerId], validators: int
) -> tuple[tuple[PeerId, PeerId], ...]:
    """Disjoint (validator, target) pairs from r_t, drawn after every gradient of step t is committed.

    At most floor(n / 2) pairs fit. Deviation from the paper: validators go on contributing
    gradients (`protocols/decisions/0003`)."""
    order = Draw(coin, "validators").shuffle(tuple(participants))
    return tuple(zip(order[::2], order[1::2], strict=False))[:validators]
