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


class Removal(BaseModel):
    """A peer that was removed, how (`ban`, `leave` or `miss`) and why."""

    model_config = _Line.model_config

    peer: str
    kind: str
    reason: str


class AttemptEnded(_Line):
    """One ledger record: an attempt that ended in a `step` or in an `abort`. `duration_s` is the time since
    the previous record, None in virtual time and for the first record. `metrics` are the task's, of held-out
    data after the step, empty if it was not evaluated. `ledger` is the head after the record."""

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
    Noted | Announced | Gathered | Begun | Stalled | AttemptEnded | FaultSeen | Ended | Failed,
    Field(discriminator="event"),
]
Emit = Callable[[Event], None]
"""Takes each event as it happens, in order."""

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def read_event(line: str) -> Event:
    """Return the event of a line that `to_json` wrote. Raises pydantic.ValidationError for any other line."""
    return _ADAPTER.validate_json(line)
