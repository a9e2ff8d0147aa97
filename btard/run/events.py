"""The events of a run as one union: one JSON line each, told apart by its key `event`.

The console, the processes of a local swarm, `metrics.jsonl` and monitors read the same lines. Digests and
peers are in hexadecimal. `time` is the wall clock when the event was made, in seconds since 1970 (UTC), and
None in virtual time. A number that is not finite is the text "NaN", "Infinity" or "-Infinity",
since JSON has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

if TYPE_CHECKING:
    from btard.run.config import RunConfig
    from btard.types import PeerId


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    time: float | None = Field(default_factory=time.time)

    def to_json(self) -> str:
        """Return the line, without its end."""
        return self.model_dump_json()


class Noted(_Line):
    """A sentence for people, on the way into the run."""

    event: Literal["noted"] = "noted"
    text: str


class Announced(_Line):
    """A bootstrap announced a run; a peer joins by any one of `addresses`, the best first."""

    event: Literal["announced"] = "announced"
    run: str
    addresses: tuple[str, ...]


class Gathered(_Line):
    """`present` of the run's `seats` are taken; sent again when the number changes."""

    event: Literal["gathered"] = "gathered"
    present: int
    seats: int


class Begun(_Line):
    """The first roster is fixed and this peer has a seat in it. `seat` is its place in `members`."""

    event: Literal["begun"] = "begun"
    run: str
    task: str
    steps: int
    members: tuple[str, ...]
    seat: int

    @classmethod
    def of(cls, config: RunConfig, members: Sequence[PeerId], me: PeerId) -> Begun:
        """Return the event of a roster."""
        return cls(
            run=config.digest.hex(),
            task=config.task,
            steps=config.steps,
            members=tuple(peer.hex() for peer in members),
            seat=members.index(me),
        )


class Stalled(_Line):
    """Nothing has arrived for a while. `missing` are the peers that this phase waits for. In `dispute_in_s`
    seconds the others begin a dispute, in which a silent peer can lose the step or its seat."""

    event: Literal["stalled"] = "stalled"
    step: int
    attempt: int
    phase: str
    missing: tuple[str, ...]
    waited_s: float
    dispute_in_s: float


class InPhase(_Line):
    """Where this peer is, once a second: `phase` has lasted `waited_s`, and `missing` are the others that
    have yet to speak in it. `work` is what this peer computes, None if nothing, and `share` how much of that
    is done, None if it is not known. For screens: `--json` does not print it."""

    event: Literal["phase"] = "phase"
    step: int
    attempt: int
    phase: str
    in_dispute: bool
    waited_s: float
    work: str | None
    share: float | None
    missing: tuple[str, ...]


class Norms(BaseModel):
    """Norms of a step's vectors g_i and v, whole: of the own `gradient` as it was sent, of the `aggregate`,
    of their difference (`distance`), and the median of what all peers say theirs is. `clipped` is the share
    of rows, one a peer and part, that lie beyond `tau`, which is of the whole gradient too."""

    model_config = _Line.model_config

    gradient: float | None
    aggregate: float
    distance: float | None
    median_distance: float
    tau: float
    clipped: float


class Removal(BaseModel):
    """A peer that was removed, how (`ban`, `leave` or `miss`) and why."""

    model_config = _Line.model_config

    peer: str
    kind: str
    reason: str


class AttemptEnded(_Line):
    """One ledger record: an attempt that ended in a `step` or in an `abort`. `duration_s` is the time since
    the previous record, None in virtual time and for the first record. `metrics` are the task's, of held-out
    data after the step, empty if it was not evaluated. `ledger` is the head after the record.

    The rest is what this peer saw. `training_loss` is of its own batch, before the step, None if it took no
    gradient. `phases_s` are the seconds of each phase, `work_s` of each kind of work that ended meanwhile;
    both are empty in virtual time. `deadlines` are the phases that lasted until this peer called for a
    dispute, `disputes` how many there were, `dispute_s` for how long: they may end without a word in the
    record (`disputed`). Bytes are those of the attempt, framing included."""

    event: Literal["attempt_ended"] = "attempt_ended"
    index: int
    step: int
    attempt: int
    kind: Literal["step", "close", "abort"]
    disputed: bool
    roster: int
    removals: tuple[Removal, ...] = ()
    ledger: str
    model: str
    metrics: dict[str, float] = {}
    duration_s: float | None = None
    training_loss: float | None = None
    norms: Norms | None = None
    phases_s: dict[str, float] = {}
    work_s: dict[str, float] = {}
    deadlines: tuple[str, ...] = ()
    disputes: int = 0
    dispute_s: float | None = None
    sent_bytes: int = 0
    received_bytes: int = 0


class FaultSeen(_Line):
    """A peer misbehaved towards this one. Sent for the first fault of a peer and kind; `Ended` counts all."""

    event: Literal["fault_seen"] = "fault_seen"
    peer: str
    kind: str
    detail: str


Outcome = Literal["finished", "seat_lost", "halted", "interrupted"]


class Ended(_Line):
    """The run is over for this peer. The bytes are those that it sent over the network, framing included.
    `outcome` is `finished` after the last step, `seat_lost` after a ban or a lost seat, `halted` without a
    majority, `interrupted` if this peer was told to end. `run_dir` holds model, ledger and metrics, None if
    nothing is kept."""

    event: Literal["ended"] = "ended"
    peer: str
    outcome: Outcome
    reason: str
    steps: int
    model: str
    ledger: str
    blob_bytes: int
    control_bytes: int
    parameters: int
    faults: int
    run_dir: str | None = None


class Failed(_Line):
    """The process ends with an error; `reason` is the sentence that a person reads."""

    event: Literal["failed"] = "failed"
    reason: str


Event = Annotated[
    Noted | Announced | Gathered | Begun | Stalled | InPhase | AttemptEnded | FaultSeen | Ended | Failed,
    Field(discriminator="event"),
]
Emit = Callable[[Event], None]
"""Takes each event as it happens, in order."""

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def read_event(line: str) -> Event:
    """Return the event of a line that `to_json` wrote. Raises pydantic.ValidationError for any other line."""
    return _ADAPTER.validate_json(line)
