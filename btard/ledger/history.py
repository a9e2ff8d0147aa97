"""A ledger that its own peer reads again, to go on with it: where it ends, and what led there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from btard.errors import ConfigurationError
from btard.ledger.header import LedgerHeader
from btard.ledger.reader import FIRST_LINK, LedgerReader
from btard.protocol.ledger import check_entry
from btard.protocol.outputs import Recorded
from btard.protocol.record import STEP
from btard.protocol.state import RosterState
from btard.run.config import RunConfig
from btard.types import Digest


@dataclass(frozen=True, slots=True)
class Applied:
    """A step: the aggregates that were applied to x_step, by part, and the digest of what they led to."""

    step: int
    aggregates: tuple[Digest, ...]
    model: Digest


def applied(recorded: Recorded) -> Applied | None:
    """Return what a record applied, None if it ended no step."""
    record, finished = recorded.entry.record, recorded.state.finished
    if record.kind != STEP:
        return None
    assert finished is not None
    return Applied(record.step, finished.aggregates, Digest(record.model))


@dataclass(slots=True)
class History:
    """What a ledger says, all of it verified: the run, the `state` after its last whole record, and its
    steps.

    `states` has those that were wanted, by the index of the next record; `recent` the records from a wanted
    index on. The next frame begins at byte `end`, behind the one whose digest is `link`; `torn` says that the
    trace of a crash follows."""

    header: LedgerHeader
    config: RunConfig
    state: RosterState
    states: dict[int, RosterState]
    steps: list[Applied] = field(default_factory=list)
    recent: list[Recorded] = field(default_factory=list)
    end: int = 0
    link: Digest = FIRST_LINK
    torn: bool = False


def read_header(path: Path) -> LedgerHeader:
    """Return the header of a ledger. Raises ConfigurationError if there is no ledger, LedgerError if its
    header does not hold."""
    if not path.is_file():
        raise ConfigurationError(
            f"{path.parent} holds no run to resume: give the --out directory of one, or join without --resume"
        )
    with LedgerReader(path) as reader:
        return reader.header


def read_history(path: Path, wanted: Collection[int] = (), recent: int = 0) -> History:
    """Read and verify a ledger; keep the states before the records `wanted`, and the records from index
    `recent` on.

    A last frame that was cut off counts as not written. Raises LedgerError, naming the record, if anything
    else does not hold: the file is left as it is."""
    with LedgerReader(path, torn=True) as reader:
        config, state = reader.header.open()
        history = History(reader.header, config, state, {0: state} if 0 in wanted else {})
        for entry in reader:
            checked = check_entry(state, entry)
            state = checked.state
            recorded = Recorded(entry, state)
            if (step := applied(recorded)) is not None:
                history.steps.append(step)
            if state.index in wanted:
                history.states[state.index] = state
            if checked.record.index >= recent:
                history.recent.append(recorded)
        history.state = state
        history.end, history.link = reader.position, reader.head
        history.torn = reader.position < reader.size_bytes
    return history
