"""Makes of a journal the machine that its process was, with all that was left to do.

The machine is told what it was told before, and arrives where it was: pure, so this takes no network and no
engine. Nothing that it signed before is signed otherwise: what the journal says was said must come again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from btard.machine import (
    Abandon,
    Actions,
    Adopt,
    ComputeGradient,
    Done,
    Effect,
    Event,
    Project,
    PushBlob,
    Received,
    Send,
    Update,
)
from btard.node.journal import Segment
from btard.node.slots import is_own, place_of, said_digest
from btard.node.votes import Place
from btard.protocol.beginning import Beginning
from btard.protocol.messages import PHASES, Phase
from btard.protocol.outputs import Recorded
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.types import Digest, PeerId
from btard.wire import SEALED_PREFIX

Make = Callable[[Beginning, bytes], PeerMachine]
"""Returns the machine of this peer that begins so, with this secret."""


@dataclass(slots=True)
class Revived:
    """A machine as it was at `now`, by its own clock. `recorded` are the records that it went through, `past`
    what it said in attempts that are over, `sends` and `pushes` in the one under way, `effects` what it waits
    for. `repeated` are effects that it knows the results of, on which later ones rest. `update` is the
    candidate that it has asked for and knows, if it is about to vote or has voted. Of the records `unwritten`
    are not in the ledger yet, `unreported` are not in the metrics."""

    machine: PeerMachine
    now: float
    secret: bytes
    recorded: list[Recorded] = field(default_factory=list)
    past: list[Send] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    pushes: list[PushBlob] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    repeated: list[Effect] = field(default_factory=list)
    update: tuple[Update, Digest] | None = None
    unwritten: list[Recorded] = field(default_factory=list)
    unreported: list[Recorded] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Step and attempt of the machine."""
        state = self.machine.state
        return state.step, state.attempt


def revive(
    me: PeerId, segments: Sequence[Segment], states: Mapping[int, RosterState], make: Make, last: Place
) -> Revived | None:
    """Return the machine of the last two of `segments`, or of the last alone if they do not follow each
    other. `states` are those of the ledger, by the index of the next record.

    None if there is no machine that has said all that was said up to `last` (`VoteLog.before`), and in the
    segments: then its peer has to be silent there."""
    for chosen in (segments[-2:], segments[-1:]):
        if chosen and chosen[0].index in states:
            revived = _replay(me, chosen, states[chosen[0].index], make, last)
            if revived is not None:
                return revived
    return None


def _replay(
    me: PeerId, segments: Sequence[Segment], state: RosterState, make: Make, last: Place
) -> Revived | None:
    first = segments[0]
    early = tuple(event for event in first.early if isinstance(event, Received))
    machine = make(Beginning(state, first.now, first.reported, early), first.secret)
    revived = Revived(machine, first.now, first.secret)
    told: list[Event] = []
    said = _Said(me)
    for number, segment in enumerate(segments):
        if number == 0:
            said.take(revived, machine.begin(first.now))
        elif machine.beginning.state.index != segment.index or segment.secret != first.secret:
            return None
        for now, event in segment.events:
            told.append(event)
            said.take(revived, machine.handle(event, now))
            revived.now = now
    everything = frozenset().union(*(segment.said for segment in segments))
    if revived.place < last or not everything <= said.names:
        return None
    done = {event.effect: event.result for event in told if isinstance(event, Done)}
    _finish(revived, me, done)
    now = PHASES.index(machine.attempt.phase)
    # Nobody is more than a phase behind; and what is not expected any more counts against its sender.
    revived.pushes = [push for phase, push in said.pushes if PHASES.index(phase) >= now - 1]
    return revived


class _Said:
    """Collects what a machine says, and what is left of it at the end."""

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self.names: set[Digest] = set()
        self.pushes: list[tuple[Phase, PushBlob]] = []

    def take(self, revived: Revived, out: Actions) -> None:
        """Take what follows from an event."""
        revived.recorded += [output for output in out.outputs if isinstance(output, Recorded)]
        revived.sends += out.messages
        self.names.update(said_digest(send.raw) for send in out.messages if is_own(send.raw, self._me))
        for effect in out.effects:
            if isinstance(effect, Abandon | Adopt):  # all before it was for an attempt that is over
                revived.effects.clear()
                self.pushes.clear()
            elif isinstance(effect, PushBlob):
                self.pushes.append((revived.machine.attempt.phase, effect))
            else:
                revived.effects.append(effect)


def _finish(revived: Revived, me: PeerId, done: Mapping[Effect, object]) -> None:
    """Leave what is still of use to others, and the effects whose results have not come."""
    over = {(each.entry.record.step, each.entry.record.attempt) for each in revived.recorded}
    sends = dict.fromkeys(revived.sends)
    revived.past = [send for send in sends if is_own(send.raw, me) and place_of(send.raw) in over]
    revived.sends = [
        send
        for send in sends
        if place_of(send.raw) == revived.place
        and (is_own(send.raw, me) or not send.raw.startswith(SEALED_PREFIX))
    ]
    for effect in revived.effects:
        if isinstance(effect, Update) and effect in done:
            revived.update = effect, Digest(done[effect])  # type: ignore[arg-type]
    if not any(isinstance(effect, Project) for effect in done if effect in revived.effects):
        revived.repeated = [e for e in revived.effects if isinstance(e, ComputeGradient) and e in done]
    revived.effects = [effect for effect in revived.effects if effect not in done]
