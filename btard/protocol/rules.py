"""BTARD's step as a function of what is agreed: the phase that follows a phase, or the attempt's end.

Everything here depends on agreed messages alone, so peers and auditors who hold the same messages
come to the same phases, the same removals and the same record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from btard.protocol import accusation, butterfly, messages, mprng, pace, suspicion, verification
from btard.protocol.agreed import Seating, Sets
from btard.protocol.messages import ACCUSE, AGGREGATE, GRADIENT, REVEAL, SCALARS, VERDICT, Phase
from btard.protocol.pace import NOTHING_SEEN, Seen
from btard.protocol.record import ABORT, BAN, CLOSE, LEAVE, NOTHING, STEP, Cause, Complaint, Record, Removal
from btard.protocol.state import roster_digest
from btard.types import Digest


@dataclass(frozen=True, slots=True)
class Ending:
    """How the attempt ends: STEP, CLOSE after the last one, or ABORT with who is removed, and between whom
    parts did not come. `stop` says why the run ends here, for people."""

    kind: Literal["step", "close", "abort"]
    removals: tuple[Removal, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    stop: str | None = None


def after_phase(seating: Seating, phase: Phase, sets: Sets) -> Phase | Ending:
    """The phase after `phase`, whose agreed set and those before it are in `sets`; or the ending, which
    RECORD then signs."""
    offenders = _malformed(seating, phase, sets)
    if offenders:
        return _abort(seating, bans=dict.fromkeys(offenders, Cause.MALFORMED_MESSAGE))
    if phase == GRADIENT:
        silent = _named(seating, [said.silent for said in sets[GRADIENT]])
        equivocal = _named(seating, [said.equivocal for said in sets[GRADIENT]])
        bans = dict.fromkeys(equivocal, Cause.EQUIVOCATION)
        misses = dict.fromkeys(silent, Cause.SILENT_IN_RECORD)
        seen = pace.agreed(sets[GRADIENT])
        slow = {late.peer for late in seen.late}
        leaves = {
            seating.everyone.index(peer): Cause.SLOW if peer in slow else Cause.UNREACHABLE
            for peer in seating.state.exhausted(seen)
        }
        removed = bans or misses or leaves
        return _abort(seating, bans=bans, leaves=leaves, misses=misses) if removed else AGGREGATE
    if phase == AGGREGATE:
        return _after_aggregate(seating, sets)
    if phase == REVEAL:
        false = mprng.false_reveals(seating.participants, sets[GRADIENT], sets[REVEAL])
        withheld = butterfly.withheld_aggregates(sets[REVEAL], seating.parts)
        bans = dict.fromkeys(false, Cause.FALSE_REVEAL)
        leaves = {seating.aggregators[part]: Cause.WITHHELD_AGGREGATE for part in withheld}
        return _abort(seating, bans=bans, leaves=leaves) if bans or leaves else SCALARS
    if phase == SCALARS:
        false = verification.false_on_sight(_table(sets))
        return _abort(seating, bans=dict.fromkeys(false, Cause.FALSE_SCALARS)) if false else ACCUSE
    if phase == ACCUSE:
        return VERDICT if disputed(seating, sets) else _judged(seating, sets, {}, {})
    assert phase == VERDICT, phase
    bans, leaves = accusation.tally(disputed(seating, sets), [v.votes for v in sets[VERDICT]])
    return _judged(seating, sets, bans, leaves)


def _after_aggregate(seating: Seating, sets: Sets) -> Phase | Ending:
    state, peers = seating.state, seating.participants
    if state.public:
        misses = butterfly.judge_public(sets[AGGREGATE], seating.aggregators[0])
        return _abort(seating, misses=misses) if misses else REVEAL
    pairs = butterfly.complaints(sets[AGGREGATE])
    if not pairs:
        return REVEAL
    seat_of = {peer: seat for seat, peer in enumerate(peers)}
    # Who lost the step or its seat counts too, under a number of its own.
    others = {peer: len(peers) + k for k, peer in enumerate(p for p in state.members if p not in seat_of)}
    earlier = {
        seat: {(seat_of | others)[other] for other in state.counterparties(peer)}
        for peer, seat in seat_of.items()
    }
    misses, left = butterfly.judge_complaints(pairs, state.tolerated, earlier)
    if 2 * (len(peers) - len(misses)) <= len(state.members):  # the run would end: nobody is let go
        misses, left = {}, pairs
    return _abort(seating, misses=misses, complaints=left)


def _named(seating: Seating, ballots: Sequence[Sequence[bytes]]) -> list[int]:
    """Seats that more than half of the participants name."""
    count = [sum(peer in ballot for ballot in ballots) for peer in seating.participants]
    return [seat for seat, named in enumerate(count) if 2 * named > len(seating.participants)]


def disputed(seating: Seating, sets: Sets) -> tuple[accusation.Case, ...]:
    """The cases that the VERDICT phase votes on, in order."""
    return accusation.cases(seating.pairs, sets[ACCUSE], seating.state.config)


def recomputed(seating: Seating, phase: Phase, sets: Sets) -> int:
    """Return how many gradients of the step before a peer may have to compute before it speaks in a phase:
    that of its target, or those that are disputed."""
    if phase == SCALARS:
        return int(bool(seating.pairs))
    if phase == VERDICT:
        return len({case.target for case in disputed(seating, sets) if case.kind != accusation.ROW})
    return 0


def _judged(seating: Seating, sets: Sets, bans: Mapping[int, Cause], leaves: Mapping[int, Cause]) -> Ending:
    """The ending of an attempt whose accusations are judged; `bans` and `leaves` are what the votes
    decide."""
    relieved = suspicion.unchecked(seating, sets)
    bans = {**bans, **_evident(seating, sets)}
    if bans or leaves or relieved:
        return _abort(seating, bans=bans, leaves=leaves, relieved=relieved)
    if seating.state.closing:
        return Ending(CLOSE)
    stop = verification.tau_too_small(_table(sets), seating.state.config)
    return Ending(STEP) if stop is None else Ending(ABORT, stop=stop)


def _evident(seating: Seating, sets: Sets) -> dict[int, Cause]:
    """Bans that need no vote: everybody sees them in the agreed messages.

    An aggregator that accused a contributor of its part is judged by that case, which ends a seat in any
    event: false scalars explain why its part looks wrong."""
    false = accusation.false_openings(seating.participants, seating.pairs, sets[SCALARS], sets[ACCUSE])
    wrong = [
        seat
        for part, seat in enumerate(seating.aggregators)
        if verification.aggregate_is_wrong(_table(sets), part, seating.state.config)
        and not any(a.kind == accusation.ROW and a.part == part for a in sets[ACCUSE][seat].accusations)
    ]
    return dict.fromkeys(false, Cause.FALSE_REVEAL) | dict.fromkeys(wrong, Cause.WRONG_AGGREGATE)


def _table(sets: Sets) -> verification.ScalarTable:
    return [said.parts for said in sets[SCALARS]]


def _malformed(seating: Seating, phase: Phase, sets: Sets) -> list[int]:
    """Seats whose signed message of `phase` cannot be what an honest peer sends."""
    seats, parts = len(seating.participants), seating.parts
    config = seating.state.config

    def wrong(seat: int, said: object) -> bool:
        if isinstance(said, messages.GradientCommitment):
            return len(said.parts) != parts
        if isinstance(said, messages.AggregateCommitment):
            aggregated, failed = said.aggregate != NOTHING, bool(said.missing)
            if any(s >= seats or s == seat for s in said.missing):
                return True
            if seating.part_of(seat) is None:
                return aggregated or (failed and not seating.state.public)
            return aggregated == failed
        if isinstance(said, messages.CoinReveal):
            return any(part >= parts for part in said.available)
        if isinstance(said, messages.PublishedScalars):
            return verification.shape_is_wrong(said.parts, parts, config)
        if isinstance(said, messages.Accusations):
            mine = said.fingerprint
            return mine is not None and verification.scalars_are_impossible(
                mine, config.directions, mine.norm
            )
        if isinstance(said, messages.Verdicts):
            cases = disputed(seating, sets)
            return len(said.votes) != len(cases) or any(map(accusation.is_impossible, said.votes, cases))
        return said is None

    found = [seat for seat, said in enumerate(sets[phase]) if wrong(seat, said)]
    if phase == ACCUSE and not found:
        examiners = suspicion.examiners(seating, sets)
        found = list(accusation.baseless(seats, seating.pairs, seating.aggregators, examiners, sets[ACCUSE]))
    return found


def _abort(
    seating: Seating,
    *,
    bans: Mapping[int, Cause] | None = None,
    leaves: Mapping[int, Cause] | None = None,
    misses: Mapping[int, Cause] | None = None,
    complaints: Sequence[tuple[int, int]] = (),
    relieved: Collection[int] = (),
) -> Ending:
    """Return the end of an attempt without a step. `complaints` are charged to both ends; the `relieved` lose
    their part alone."""
    peers = seating.everyone
    pairs = sorted((peers[i], peers[j]) for i, j in (*complaints, *((seat, seat) for seat in relieved)))
    overdrawn = seating.state.overdrawn(pairs)
    worst = {peers.index(peer): Removal(peer, LEAVE, Cause.UNREACHABLE) for peer in overdrawn}
    worst |= {seat: seating.state.miss(peers[seat], why) for seat, why in (misses or {}).items()}
    worst |= {seat: Removal(peers[seat], LEAVE, why) for seat, why in (leaves or {}).items()}
    worst |= {seat: Removal(peers[seat], BAN, why) for seat, why in (bans or {}).items()}
    return Ending(
        ABORT,
        tuple(worst[seat] for seat in sorted(worst)),
        tuple(Complaint(*pair) for pair in pairs),
    )


def make_record(
    seating: Seating,
    ending: Ending,
    trail: Sequence[tuple[str, Digest]],
    coin: bytes,
    model: Digest,
    disputed: bool = False,
    seen: Seen = NOTHING_SEEN,
) -> Record:
    """The record of an attempt that completed the phases of `trail` (name and digest of the agreed set).
    `seen` is how the attempt before it went, as its GRADIENT agreed."""
    state = seating.state
    return Record(
        run=state.run,
        index=state.index,
        previous=state.head,
        step=state.step,
        attempt=state.attempt,
        kind=ending.kind,
        disputed=disputed,
        participants=roster_digest(seating.participants),
        phases=tuple(name for name, _ in trail),
        sets=tuple(d for _, d in trail),
        coin=coin,
        removals=ending.removals,
        admissions=(),
        complaints=ending.complaints,
        took=seen.took,
        late=seen.late,
        model=model,
    )
