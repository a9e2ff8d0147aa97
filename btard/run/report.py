"""What a node tells people and files about each ledger record: plain values, one JSON line each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from btard.protocol.record import Record
from btard.protocol.state import RosterState
from btard.training.task import Evaluation


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """Who was removed (hex key), how (`ban`, `leave`, `miss`) and why."""

    peer: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepReport:
    """One ledger record: an attempt that ended in a step, or in an abort. `loss` and `accuracy` are of the
    held-out data after the step, None where it wasn't evaluated. Digests in hex."""

    index: int
    step: int
    attempt: int
    kind: str
    disputed: bool
    roster: int
    removals: tuple[RemovalReport, ...]
    ledger: str
    model: str
    loss: float | None = None
    accuracy: float | None = None

    @classmethod
    def of(cls, record: Record, state: RosterState, evaluation: Evaluation | None) -> StepReport:
        """The report of a record that led to `state`."""
        return cls(
            index=record.index,
            step=record.step,
            attempt=record.attempt,
            kind=record.kind,
            disputed=record.disputed,
            roster=len(state.members),
            removals=tuple(RemovalReport(r.peer.hex(), r.kind, r.reason) for r in record.removals),
            ledger=record.digest.hex(),
            model=record.model.hex(),
            loss=None if evaluation is None else evaluation.loss,
            accuracy=None if evaluation is None else evaluation.accuracy,
        )

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> StepReport:
        """Read a line that `to_json` wrote."""
        values = json.loads(line)
        removals = tuple(RemovalReport(**each) for each in values.pop("removals"))
        return cls(removals=removals, **values)


@dataclass(frozen=True, slots=True)
class EndReport:
    """How the run ended for one peer, and what it sent over the network until then, framing included."""

    peer: str
    finished: bool
    reason: str
    steps: int
    model: str
    ledger: str
    blob_bytes: int
    control_bytes: int
    parameters: int
    faults: int

    def to_json(self) -> str:
        """One line, told from a step's by its key `reason`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> EndReport:
        """Read a line that `to_json` wrote."""
        return cls(**json.loads(line))
