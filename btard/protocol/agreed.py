"""What is agreed in an attempt so far: who takes part, and the messages of the phases that are complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict, cast

from btard.protocol import messages, mprng, pace
from btard.protocol.messages import AGGREGATE, GRADIENT, REVEAL, SCALARS, Payload, Phase
from btard.protocol.pace import NOTHING_SEEN, Seen
from btard.protocol.record import NOTHING
from btard.protocol.state import Finished, RosterState, roster_digest
from btard.types import Digest, PeerId, Scalars


class Sets(TypedDict, total=False):
    """The agreed payloads of each complete phase, by seat. A payload of the last one may be None, if its
    author signed bytes that do not decode: `rules.after_phase` then ends the attempt."""

    gradient: tuple[messages.GradientCommitment, ...]
    aggregate: tuple[messages.AggregateCommitment, ...]
    reveal: tuple[messages.CoinReveal, ...]
    scalars: tuple[messages.PublishedScalars, ...]
    accuse: tuple[messages.Accusations, ...]
    verdict: tuple[messages.Verdicts, ...]
    record: tuple[messages.RecordVote, ...]


@dataclass(frozen=True, slots=True)
class Seating:
    """The participants of an attempt that begins in `state`, and the seats that they hold in it.

    Derived: part p belongs to seat `aggregators[p]`."""

    state: RosterState
    aggregators: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        seat_of = {peer: seat for seat, peer in enumerate(self.state.participants)}
        object.__setattr__(self, "aggregators", tuple(seat_of[peer] for peer in self.state.aggregators))

    @property
    def participants(self) -> tuple[PeerId, ...]:
        return self.state.participants

    @property
    def everyone(self) -> tuple[PeerId, ...]:
        """The participants, by seat, and after them the members that lost the step: who is absent can be
        judged, under the number that it has here."""
        return (*self.state.participants, *self.state.excluded)

    def place(self, phase: str) -> tuple[bytes, int, int, str, bytes]:
        """Return run, step, attempt, phase and roster of the envelopes of this attempt."""
        state = self.state
        return (state.run, state.step, state.attempt, phase, roster_digest(self.participants))

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(validator, target) numbers that examine the gradients of the step before. The validator has a
        seat; the target may be absent."""
        number = {peer: index for index, peer in enumerate(self.everyone)}
        found = ((number[a], number[b]) for a, b in self.state.pairs if a in number and b in number)
        return tuple(pair for pair in found if pair[0] < len(self.participants))

    @property
    def parts(self) -> int:
        """Into how many parts a gradient is cut."""
        return len(self.state.aggregators)

    def part_of(self, seat: int | None) -> int | None:
        """Return the part that a seat aggregates, None if none."""
        return self.aggregators.index(seat) if seat in self.aggregators else None


@dataclass(frozen=True, slots=True)
class Reported:
    """What a peer tells of the attempt before in its gradient commitment: who did not vote for its record,
    and who signed two messages for one slot, as the dispute showed that settled it; and how it went."""

    silent: tuple[PeerId, ...] = ()
    equivocal: tuple[PeerId, ...] = ()
    seen: Seen = NOTHING_SEEN


NOBODY_REPORTED = Reported()


@dataclass(frozen=True, slots=True)
class Agreed:
    """The completed phases of an attempt. `trail` names them in order, each with the digest of its set."""

    seating: Seating
    trail: tuple[tuple[Phase, Digest], ...] = ()
    sets: Sets = field(default_factory=Sets)

    def after(self, phase: Phase, set_digest: Digest, payloads: Sequence[Payload | None]) -> Agreed:
        """Return what is agreed once `phase` is complete too."""
        sets = cast(Sets, {**self.sets, phase: tuple(payloads)})
        return Agreed(self.seating, (*self.trail, (phase, set_digest)), sets)

    def before(self, phase: Phase) -> Agreed:
        """Return what was agreed before `phase`."""
        kept = self.phases[: self.phases.index(phase)]
        sets = cast(Sets, {name: said for name, said in self.sets.items() if name in kept})
        return Agreed(self.seating, self.trail[: len(kept)], sets)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The completed phases, in order."""
        return tuple(phase for phase, _ in self.trail)

    @property
    def previous_set(self) -> Digest:
        """What the next message of a peer names as the set before it: at first, the head of the ledger."""
        return self.trail[-1][1] if self.trail else self.seating.state.head

    @property
    def seen(self) -> Seen:
        """How the attempt before this one went."""
        said = self.sets.get(GRADIENT, ())
        return NOTHING_SEEN if not said or None in said else pace.agreed(said)

    @property
    def coin(self) -> bytes:
        """r_t of the agreed reveals; zero before them, and if one of them does not decode."""
        reveals = self.sets.get(REVEAL, ())
        return NOTHING if not reveals or None in reveals else mprng.combine(reveals)

    def rows(self, part: int) -> tuple[Digest, ...]:
        """Return the committed rows of a part, by seat of their author."""
        return tuple(Digest(said.parts[part]) for said in self.sets[GRADIENT])

    @property
    def aggregates(self) -> tuple[Digest, ...]:
        """The committed aggregates, by part."""
        said = self.sets[AGGREGATE]
        return tuple(Digest(said[seat].aggregate) for seat in self.seating.aggregators)

    def owners(self, phase: Phase, me: int | None, name: Digest) -> tuple[int, ...]:
        """Return the seats whose blob this is, of those that seat `me` waits for in a phase: for the rows of
        its part in AGGREGATE, for the aggregates in REVEAL."""
        seating = self.seating
        part = 0 if seating.state.public else seating.part_of(me)
        if phase == AGGREGATE and part is not None and seating.parts:
            return tuple(seat for seat, row in enumerate(self.rows(part)) if row == name)
        if phase == REVEAL:
            names = zip(seating.aggregators, self.aggregates, strict=True)
            return tuple(seat for seat, each in names if each == name)
        return ()

    def finished(self) -> Finished:
        """Return what the validation in the next step needs of this one."""
        return Finished(
            step=self.seating.state.step,
            seed_coin=self.seating.state.coin,
            coin=self.coin,
            participants=self.seating.participants,
            aggregates=self.aggregates,
            scalars=tuple(
                tuple(Scalars(p.projections, p.norm, p.center, p.row) for p in said.parts)
                for said in self.sets[SCALARS]
            ),
        )
