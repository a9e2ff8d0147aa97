"""BTARD's step as a function of what is agreed: the phase that follows a phase, or the attempt's end.

Everything here depends on agreed messages alone, so peers and auditors who hold the same messages
come to the same phases, the same removals and the same record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from btard.protocol import accusation, butterfly, mprng, verification
from btard.protocol.messages import (
    ACCUSE,
    AGGREGATE,
    GRADIENT,
    RECORD,
    RELAY,
    REVEAL,
    SCALARS,
    VERDICT,
    Accusations,
    AggregateCommitment,
    PublishedScalars,
    Verdicts,
)
from btard.protocol.record import (
    ABORT,
    BAN,
    LEAVE,
    NOTHING,
    STEP,
    Record,
    RelayedPair,
    Removal,
)
from btard.protocol.state import Finished, RosterState, roster_digest
from btard.types import Digest, PeerId, Scalars

Sets = Mapping[str, Sequence[Any]]
"""Agreed payloads: phase -> payload by seat."""


@dataclass(frozen=True, slots=True)
class Seating:
    """One attempt at a step by the participants of `state`, and the seats they hold in it."""

    state: RosterState

    @property
    def participants(self) -> tuple[PeerId, ...]:
        return self.state.participants

    def seats(self, pairs: Sequence[tuple[PeerId, PeerId]]) -> tuple[tuple[int, int], ...]:
        """Those of `pairs` whose both peers take part, as seats, in the given order."""
        seat = {peer: index for index, peer in enumerate(self.participants)}
        return tuple((seat[a], seat[b]) for a, b in pairs if a in seat and b in seat)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(validator, target) seats that examine the gradients of the step before."""
        return self.seats(self.state.pairs)

    @property
    def relayed(self) -> tuple[tuple[int, int], ...]:
        """(sender, receiver) seats whose link is known to be broken."""
        return self.seats([(a, b) for a, b, _ in self.state.relays])

    def first_held(self) -> Digest:
        """What messages of the first phase hold: the ledger's head."""
        return self.state.head


@dataclass(frozen=True, slots=True)
class Reported:
    """Whom a peer names in its gradient commitment: who didn't vote for the last record, and who signed
    two messages for one slot, as the dispute showed that settled it."""

    silent: tuple[PeerId, ...] = ()
    equivocal: tuple[PeerId, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How the attempt ends: STEP, or ABORT with who is removed and which links are relayed from now on."""

    kind: str
    removals: tuple[Removal, ...] = ()
    relays: tuple[tuple[PeerId, PeerId, Digest], ...] = ()


def after_phase(attempt: Seating, phase: str, sets: Sets) -> str | Ending:
    """The phase after `phase`, whose agreed set and those before it are in `sets`; or the ending, which
    RECORD then signs."""
    offenders = _malformed(attempt, phase, sets)
    if offenders:
        return _abort(attempt, bans=dict.fromkeys(offenders, "malformed message"))
    if phase == GRADIENT:
        silent = _named(attempt, [said.silent for said in sets[GRADIENT]])
        equivocal = _named(attempt, [said.equivocal for said in sets[GRADIENT]])
        if silent or equivocal:
            bans = dict.fromkeys(equivocal, "equivocation")
            return _abort(attempt, bans=bans, misses=dict.fromkeys(silent, "silent in phase record"))
        return AGGREGATE
    if phase == AGGREGATE:
        return RELAY if butterfly.complaints(sets[AGGREGATE]) else REVEAL
    if phase == RELAY:
        pairs = butterfly.complaints(sets[AGGREGATE])
        peers, parts = attempt.participants, {(i, j): Digest(sets[GRADIENT][i].parts[j]) for i, j in pairs}
        seen = {(a, b): part for a, b, part in attempt.state.witnessed}
        earlier = {(i, j): seen[peers[i], peers[j]] for i, j in pairs if (peers[i], peers[j]) in seen}
        witnessed = [pair for pair, part in earlier.items() if parts[pair] == part]
        changed = [pair for pair in earlier if pair not in witnessed]
        bans, misses, relays = butterfly.judge_complaints(pairs, sets[RELAY], witnessed, changed)
        named = [(i, j, parts[i, j]) for i, j in relays]
        return _abort(attempt, bans=bans, misses=misses, relays=named)
    if phase == REVEAL:
        false = mprng.false_reveals(attempt.participants, sets[GRADIENT], sets[REVEAL])
        withheld = butterfly.withheld_aggregates(sets[REVEAL])
        if false or withheld:
            return _abort(
                attempt,
                bans=dict.fromkeys(false, "false reveal"),
                leaves=dict.fromkeys(withheld, "withheld aggregate"),
            )
        return SCALARS
    if phase == SCALARS:
        return ACCUSE
    if phase == ACCUSE:
        bans = _evident(attempt, sets)
        if disputed(attempt, sets):
            return VERDICT
        return _abort(attempt, bans=bans) if bans else Ending(STEP)
    assert phase == VERDICT, phase
    bans, leaves = accusation.tally(disputed(attempt, sets), [v.votes for v in sets[VERDICT]])
    bans = {**_evident(attempt, sets), **bans}
    # An upheld accusation of a contributor explains why the accuser's part doesn't sum to zero.
    upheld = {c.accuser for c in disputed(attempt, sets) if c.kind == accusation.ROW and c.target in bans}
    for seat in _sums_not_zero(attempt, sets):
        if seat not in upheld:
            bans.setdefault(seat, "wrong aggregate")
    if bans or leaves:
        return _abort(attempt, bans=bans, leaves=leaves)
    return Ending(STEP)


def _named(attempt: Seating, ballots: Sequence[Sequence[bytes]]) -> list[int]:
    """Seats that more than half of the participants name."""
    count = [sum(peer in ballot for ballot in ballots) for peer in attempt.participants]
    return [seat for seat, named in enumerate(count) if 2 * named > len(attempt.participants)]


def disputed(attempt: Seating, sets: Sets) -> tuple[accusation.Case, ...]:
    """The cases that the VERDICT phase votes on, in order."""
    return accusation.cases(attempt.pairs, sets[SCALARS], sets[ACCUSE], attempt.state.config)


def _evident(attempt: Seating, sets: Sets) -> dict[int, str]:
    """Bans that need no vote: everybody sees them in the agreed messages."""
    accusers = {
        seat
        for seat, said in enumerate(sets[ACCUSE])
        if any(a.kind == accusation.ROW for a in said.accusations)
    }
    bans = {s: "wrong aggregate" for s in _sums_not_zero(attempt, sets) if s not in accusers}
    false = accusation.false_openings(attempt.participants, attempt.pairs, sets[SCALARS], sets[ACCUSE])
    for seat in false:
        bans.setdefault(seat, "false reveal")
    return bans


def _sums_not_zero(attempt: Seating, sets: Sets) -> list[int]:
    table = [p.parts for p in sets[SCALARS]]
    config = attempt.state.config
    return [j for j in range(len(attempt.participants)) if verification.sum_is_not_zero(table, j, config)]


def _malformed(attempt: Seating, phase: str, sets: Sets) -> list[int]:
    """Seats whose signed message of `phase` can't be what an honest peer sends."""
    seats = len(attempt.participants)
    config = attempt.state.config

    def wrong(seat: int, payload: Any) -> bool:
        if payload is None:
            return True
        if phase == GRADIENT:
            return len(payload.parts) != seats
        if phase == AGGREGATE:
            m: AggregateCommitment = payload
            return any(s >= seats or s == seat for s in m.missing) or (
                bool(m.missing) == (m.aggregate != NOTHING)
            )
        if phase == RELAY:
            return len(payload.votes) != len(butterfly.complaints(sets[AGGREGATE]))
        if phase == REVEAL:
            return any(s >= seats for s in payload.available)
        if phase == SCALARS:
            s: PublishedScalars = payload
            return verification.shape_is_wrong(s.parts, seats, config)
        if phase == ACCUSE:
            a: Accusations = payload
            return a.fingerprint is not None and len(a.fingerprint.projections) != config.directions
        if phase == VERDICT:
            v: Verdicts = payload
            return len(v.votes) != len(disputed(attempt, sets)) or any(
                s >= seats for vote in v.votes for s in (*vote.guilty, *vote.unavailable)
            )
        return False

    found = [seat for seat, payload in enumerate(sets[phase]) if wrong(seat, payload)]
    if phase == ACCUSE and not found:
        found = list(accusation.baseless(seats, attempt.pairs, sets[ACCUSE]))
    return found


def _abort(
    attempt: Seating,
    *,
    bans: Mapping[int, str] | None = None,
    leaves: Mapping[int, str] | None = None,
    misses: Mapping[int, str] | None = None,
    relays: Sequence[tuple[int, int, Digest]] = (),
) -> Ending:
    peers = attempt.participants
    worst: dict[int, Removal] = {}
    for seat, why in (misses or {}).items():
        worst[seat] = attempt.state.miss(peers[seat], why)
    for seat, why in (leaves or {}).items():
        worst[seat] = Removal(peers[seat], LEAVE, why)
    for seat, why in (bans or {}).items():
        worst[seat] = Removal(peers[seat], BAN, why)
    return Ending(
        ABORT,
        tuple(worst[seat] for seat in sorted(worst)),
        tuple(sorted((peers[i], peers[j], part) for i, j, part in relays)),
    )


def make_record(
    attempt: Seating,
    ending: Ending,
    trail: Sequence[tuple[str, Digest]],
    coin: bytes,
    model: Digest,
    disputed: bool = False,
) -> Record:
    """The record of an attempt that completed the phases of `trail` (name and digest of the agreed set)."""
    state = attempt.state
    return Record(
        run=state.run,
        index=state.index,
        previous=state.head,
        step=state.step,
        attempt=state.attempt,
        kind=ending.kind,
        disputed=disputed,
        participants=roster_digest(attempt.participants),
        phases=tuple(name for name, _ in trail),
        sets=tuple(d for _, d in trail),
        coin=coin,
        removals=ending.removals,
        relayed=tuple(RelayedPair(*pair) for pair in ending.relays),
        model=model,
    )


def coin_of(sets: Sets) -> bytes:
    """r_t of the agreed reveals; zero before them, and where one of them doesn't decode."""
    reveals = sets.get(REVEAL, (None,))
    return NOTHING if any(reveal is None for reveal in reveals) else mprng.combine(reveals)


def finished(attempt: Seating, sets: Sets, coin: bytes) -> Finished:
    """What the next step's validation needs of this one."""
    return Finished(
        step=attempt.state.step,
        seed_coin=attempt.state.coin,
        coin=coin,
        participants=attempt.participants,
        aggregates=tuple(Digest(a.aggregate) for a in sets[AGGREGATE]),
        scalars=tuple(
            tuple(Scalars(p.projections, p.norm, p.center) for p in said.parts) for said in sets[SCALARS]
        ),
    )


__all__ = [
    "RECORD",
    "Ending",
    "Seating",
    "Sets",
    "after_phase",
    "coin_of",
    "disputed",
    "finished",
    "make_record",
]
