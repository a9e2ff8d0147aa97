"""A ledger that a peer writes: one append-only file, begun or continued, durable entry by entry.

`append` returns after an fsync, so what a peer has acted on survives its crash. A write that fails leaves
the entries before it as they were (`protocols/decisions/0002-ledger-file.md`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path

from btard.errors import LedgerError, cannot_write
from btard.ledger.header import LedgerHeader
from btard.ledger.reader import FIRST_LINK, FRAME_BYTES_MAX, MAGIC, encode_entry, encode_frame
from btard.protocol.record import Entry
from btard.types import Digest


class LedgerFile:
    """A new ledger to append to; `resume` continues one. Any number of processes may read it meanwhile.

    Raises LedgerError if the file exists, or cannot be written."""

    def __init__(self, path: Path, header: LedgerHeader) -> None:
        self._path = path
        self._end = 0
        self._head = FIRST_LINK
        try:
            self._file: FileIO = path.open("xb", buffering=0)
        except OSError as error:
            raise LedgerError(cannot_write(path, error, "directory")) from error
        try:
            self._write(header.to_bytes(), MAGIC)
            _sync_directory(path.parent)
        except BaseException:
            self.close()
            path.unlink(missing_ok=True)
            raise

    @classmethod
    def resume(cls, path: Path, end: int, head: Digest) -> LedgerFile:
        """Continue a ledger behind its last whole frame, which ends at byte `end` and has the digest `head`
        (`LedgerReader.position` and `head`): the trace of a crash behind it is cut off.

        Raises LedgerError if the file cannot be written."""
        self = cls.__new__(cls)
        self._path, self._end, self._head = path, end, head
        try:
            self._file = path.open("r+b", buffering=0)
            self._file.truncate(end)
            self._file.seek(end)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise LedgerError(cannot_write(path, error, "directory")) from error
        return self

    def append(self, entry: Entry) -> None:
        """Write an entry; it is on the disk when this returns.

        Raises LedgerError if it cannot be written. The file is then cut back to the entries before it, and
        closed: after a failed fsync the system may have dropped pages that look written."""
        self._write(encode_entry(entry))

    def close(self) -> None:
        """Close the file; closing it again changes nothing."""
        self._file.close()

    def _write(self, payload: bytes, before: bytes = b"") -> None:
        if len(payload) > FRAME_BYTES_MAX:
            raise LedgerError(f"an entry of {len(payload)} bytes does not fit into the ledger {self._path}")
        frame, self._head = encode_frame(self._head, payload)
        left = memoryview(before + frame)
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
                os.fsync(self._file.fileno())
            self.close()
            raise LedgerError(
                f"{cannot_write(self._path, error, 'directory')} or make room; "
                "nothing before this entry is lost"
            ) from error
        self._end += len(before) + len(frame)


def _sync_directory(path: Path) -> None:
    """Make the names of its files survive a crash too."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
