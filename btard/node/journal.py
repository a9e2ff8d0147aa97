"""The journal: what a peer's machine was told since its step began, so that its successor can be that
machine.

A machine is a function of how its step began (`protocol/beginning.py`), of its secret and of the events that
it took. All three are on the disk before anything that it signed leaves. A process that is started again
tells a new machine the same, and arrives where the old one was: it says the same in the same slots, and goes
on.

The journal has a segment for each step, of which the last two are kept: a peer that is one record behind asks
for what was said in the one before. A segment is a file of frames under a chain of digests, as a ledger is. A
frame that was cut off ends it: what it would have told was not acted upon. The files lie beside the key, as
the vote log does: they hold the secret (`protocols/decisions/0022-resume.md`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from btard.crypto import digest
from btard.errors import LedgerError, cannot_write
from btard.ledger.reader import FRAME_BYTES_MAX, encode_frame, frames
from btard.machine import Event
from btard.node.journal_format import pack, unpack
from btard.node.slots import place_of, said_digest
from btard.node.votes import Place
from btard.protocol.agreed import Reported
from btard.protocol.beginning import Beginning
from btard.types import Digest

MAGIC = b"btard journal 1\n"
FIRST_LINK = digest("journal file", MAGIC)
SEGMENTS_KEPT = 2


@dataclass(frozen=True, slots=True)
class Segment:
    """What a file says: the index of the first record after the step began, how it began (without the state,
    which the ledger has), the machine's secret, the attempt up to which its peer is silent, the events with
    their times, and the digests of the messages that it signed and sent."""

    index: int
    now: float
    secret: bytes
    silent: Place
    reported: Reported
    early: tuple[Event, ...]
    events: tuple[tuple[float, Event], ...]
    said: frozenset[bytes]
    size_bytes: int
    link: Digest


class Journal:
    """Writes the journal of one key in one run: `base` is the path of its vote log, `secret` the machine's,
    `silent` the attempt up to which this peer says nothing (`VoteLog.before`).

    Events are written as they come, and are on the disk once `said` returns. If the disk takes no more, the
    segment is emptied before anything leaves, and `failed` says why: then this peer cannot be resumed before
    the next step, and would be silent in this one. Raises LedgerError if not even that is possible."""

    def __init__(self, base: Path, secret: bytes, silent: Place) -> None:
        self.base = base
        self._secret = secret
        self._silent = silent
        self._file: FileIO | None = None
        self._link = FIRST_LINK
        self._step = 0
        self._noted: set[bytes] = set()
        self.failed: OSError | None = None

    def begin(self, beginning: Beginning) -> None:
        """Begin the segment of a step, and delete those before the one before it."""
        self.close()
        index = beginning.state.index
        older = sorted(each for each in _indices(self.base) if each != index)
        path = _path(self.base, index)
        self.failed, self._link = None, FIRST_LINK
        self._step, self._noted = beginning.state.step, set()
        try:
            self.base.parent.mkdir(mode=0o700, exist_ok=True)
            part = path.with_suffix(".part")
            self._file = FileIO(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "r+b")
        except OSError as error:
            self._fail(error)
            return
        said = (self._secret, self._silent, beginning.reported, beginning.early)
        self._write(["begin", index, beginning.now, *said], MAGIC)
        self._sync()
        if self._file is not None:
            os.replace(part, path)
        for each in older[: len(older) + 1 - SEGMENTS_KEPT]:
            with suppress(OSError):
                _path(self.base, each).unlink()

    def go_on(self, segment: Segment, step: int) -> None:
        """Append to a segment of `step` that was read, behind its last whole frame."""
        self.close()
        self._step, self._noted = step, set(segment.said)
        self.failed, self._link = None, segment.link
        try:
            self._file = _path(self.base, segment.index).open("r+b", buffering=0)
            self._file.truncate(segment.size_bytes)
            self._file.seek(segment.size_bytes)
        except OSError as error:
            self._fail(error)

    def event(self, event: Event, now: float) -> None:
        """Note an event that the machine is about to take."""
        self._write(["event", now, event])

    def said(self, raws: list[bytes]) -> None:
        """Note messages that the machine signed and that are about to leave. All is on the disk then.

        Those of earlier steps were noted there: they leave again if somebody asks for them."""
        of_it = (raw for raw in raws if (place_of(raw) or (0, 0))[0] >= self._step)
        new = [name for name in map(said_digest, of_it) if name not in self._noted]
        if new:
            self._noted.update(new)
            self._write(["said", tuple(new)])
            self._sync()

    def close(self) -> None:
        """Close the file; closing it again changes nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, tree: list[Any], before: bytes = b"") -> None:
        if self._file is None:
            return
        frame, self._link = encode_frame(self._link, pack(tree))
        left = memoryview(before + frame)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._fail(error)

    def _sync(self) -> None:
        if self._file is not None:
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        """Give up the segment: a part of it would make a successor say something else."""
        self.failed = error
        try:
            if self._file is not None:
                self._file.truncate(0)
                os.fsync(self._file.fileno())
        except OSError as worse:
            raise LedgerError(cannot_write(self.base, worse, "--key") + " or make room") from worse
        finally:
            self.close()


def read_segments(base: Path) -> list[Segment]:
    """Return the segments of a journal, in order, as far as they are whole: without one whose first frame is
    not, and none at all if that is the last, of which anything may have been said. Raises OSError as the disk
    does."""
    read = [_read(_path(base, index), index) for index in sorted(_indices(base))]
    return [segment for segment in read if segment is not None] if read and read[-1] is not None else []


def delete_segments(base: Path) -> None:
    """Delete a journal: the run is over for its peer, and its secret with it."""
    for index in _indices(base):
        with suppress(OSError):
            _path(base, index).unlink()


def _path(base: Path, index: int) -> Path:
    return base.with_name(f"{base.name}.step-{index}")


def _indices(base: Path) -> list[int]:
    ends = (path.name.rpartition("-")[2] for path in base.parent.glob(f"{base.name}.step-*"))
    return [int(end) for end in ends if end.isdecimal()]


def _read(path: Path, index: int) -> Segment | None:
    raw = path.read_bytes()
    if not raw.startswith(MAGIC):
        return None
    trees, size, link = [], len(MAGIC), FIRST_LINK
    for payload, end, following in frames(raw, len(MAGIC), FIRST_LINK, FRAME_BYTES_MAX):
        trees.append(unpack(payload))
        size, link = end, following
    match trees[:1]:
        case [
            ("begin", int(at), float(now), bytes(secret), (int(), int()) as silent, Reported() as told, early)
        ]:
            pass
        case _:
            return None
    if at != index:
        return None
    return Segment(
        index,
        now,
        secret,
        silent,
        told,
        early,
        tuple((tree[1], tree[2]) for tree in trees[1:] if tree[0] == "event"),
        frozenset(each for tree in trees[1:] if tree[0] == "said" for each in tree[1]),
        size,
        link,
    )
