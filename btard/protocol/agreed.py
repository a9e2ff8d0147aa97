"""What is agreed in an attempt so far: who takes part, and the messages of the phases that are complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict, cast

from btard.protocol import messages, mprng
from btard.protocol.messages import AGGREGATE, GRADIENT, REVEAL, SCALARS, Payload, Phase
from btard.protocol.record import NOTHING
from btard.protocol.state import Finished, RosterState, roster_digest
from btard.types import Digest, PeerId, Scalars


class Sets(TypedDict, total=False):
    """The agreed payloads of each complete phase, by seat. A payload of the last one may be None, if its
    author signed bytes that do not decode: `rules.after_phase` then ends the attempt."""

    gradient: tuple[messages.GradientCommitment, ...]
    aggregate: tuple[messages.AggregateCommitment, ...]
    relay: tuple[messages.RelayVotes, ...]
    reveal: tuple[messages.CoinReveal, ...]
    scalars: tuple[messages.PublishedScalars, ...]
    accuse: tuple[messages.Accusations, ...]
    verdict: tuple[messages.Verdicts, ...]
    record: tuple[messages.RecordVote, ...]


@dataclass(frozen=True, slots=True)
class Seating:
    """The participants of an attempt that begins in `state`, and the seats that they hold in it."""

    state: RosterState

    @property
    def participants(self) -> tuple[PeerId, ...]:
        return self.state.participants

    def seats(self, pairs: Sequence[tuple[PeerId, PeerId]]) -> tuple[tuple[int, int], ...]:
        """Return those of `pairs` of which both peers take part, as seats, in the given order."""
        seat = {peer: index for index, peer in enumerate(self.participants)}
        return tuple((seat[a], seat[b]) for a, b in pairs if a in seat and b in seat)

    def place(self, phase: str) -> tuple[bytes, int, int, str, bytes]:
        """Return run, step, attempt, phase and roster of the envelopes of this attempt."""
        state = self.state
        return (state.run, state.step, state.attempt, phase, roster_digest(self.participants))

    @property
    def aggregators(self) -> tuple[int, ...]:
        """The seat that aggregates each part."""
        return tuple(range(len(self.participants)))

    def part_of(self, seat: int | None) -> int | None:
        """Return the part that a seat aggregates, None if it aggregates none."""
        return self.aggregators.index(seat) if seat in self.aggregators else None

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(validator, target) seats that examine the gradients of the step before."""
        return self.seats(self.state.pairs)

    @property
    def relayed(self) -> tuple[tuple[int, int], ...]:
        """(sender, receiver) seats whose link is known to be broken."""
        return self.seats([(a, b) for a, b, _ in self.state.relays])


@dataclass(frozen=True, slots=True)
class Reported:
    """Peers that a peer names in its gradient commitment: those that did not vote for the last record, and
    those that signed two messages for one slot, as the dispute showed that settled it."""

    silent: tuple[PeerId, ...] = ()
    equivocal: tuple[PeerId, ...] = ()


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
        return tuple(Digest(said.aggregate) for said in self.sets[AGGREGATE])

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
