"""A ledger that a peer writes: one append-only file, durable entry by entry.

`append` returns after an fsync, so what a peer has acted on survives its crash. A write that fails leaves
the entries before it as they were (`protocols/decisions/0002-ledger-file.md`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from btard.errors import LedgerError
from btard.ledger.header import LedgerHeader
from btard.ledger.reader import (
    FRAME_BYTES_MAX,
    LENGTH_BYTES,
    MAGIC,
    LedgerReader,
    encode_entry,
    first_link,
    length_check,
    next_link,
)
from btard.protocol.record import Entry
from btard.types import Digest


class LedgerFile:
    """A ledger to append to. One process at a time writes a file; any number may read it meanwhile."""

    def __init__(self, path: Path, descriptor: int, header: LedgerHeader, end: int, head: Digest) -> None:
        self.path = path
        self.header = header
        self.torn_bytes = 0
        """What `open` cut off: an entry that a crash left unfinished, which no `append` had acknowledged."""
        self._descriptor: int | None = descriptor
        self._end = end
        self._head = head

    @classmethod
    def create(cls, path: Path, header: LedgerHeader) -> LedgerFile:
        """Begin a ledger. Raises LedgerError where the file exists, or can't be written."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            if path.exists():
                raise LedgerError(f"{path} exists: choose another directory, or continue its run") from error
            raise LedgerError(
                f"the ledger {path} can't be created ({error.strerror}): check its path"
            ) from error
        ledger = cls(path, descriptor, header, 0, first_link())
        try:
            lock(descriptor, path)
            ledger._write(header.to_bytes(), MAGIC)
            _sync_directory(path.parent)
        except BaseException:
            ledger.close()
            path.unlink(missing_ok=True)
            raise
        return ledger

    @classmethod
    def open(cls, path: Path) -> LedgerFile:
        """Continue a ledger: verify all its bytes, and cut off a last frame that a crash left unfinished
        (`torn_bytes`). Raises LedgerError, without touching the file, where any other byte is wrong."""
        try:
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise LedgerError(
                f"the ledger {path} can't be opened ({error.strerror}): check its path"
            ) from error
        try:
            lock(descriptor, path)
            with LedgerReader(path, forgive_torn_tail=True) as reader:
                for _ in reader:
                    pass
            ledger = cls(path, descriptor, reader.header, reader.position, reader.head)
            ledger.torn_bytes = reader.torn_bytes
            if reader.torn_bytes:
                ledger._cut_back()
        except BaseException:
            os.close(descriptor)
            raise
        return ledger

    def append(self, entry: Entry) -> None:
        """Write an entry; it is on the disk when this returns.

        Raises LedgerError where it can't be written. The file is then cut back to the entries before it;
        where only space was lacking (ENOSPC, EDQUOT) the same entry may be appended again."""
        self._write(encode_entry(entry))

    def __iter__(self) -> Iterator[Entry]:
        """The entries written so far, read from the file."""
        with LedgerReader(self.path) as reader:
            yield from reader

    def __enter__(self) -> LedgerFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing it again changes nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, payload: bytes, before: bytes = b"") -> None:
        if self._descriptor is None:
            raise LedgerError(f"the ledger {self.path} is closed: open it again to append")
        if len(payload) > FRAME_BYTES_MAX:
            raise LedgerError(f"an entry of {len(payload)} bytes doesn't fit into the ledger {self.path}")
        length = len(payload).to_bytes(LENGTH_BYTES, "little")
        head = next_link(self._head, payload)
        data = memoryview(before + length + length_check(self._head, length) + payload + head)
        try:
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            os.fsync(self._descriptor)
        except OSError as error:
            self._give_up(error)
        self._end += len(data)
        self._head = head

    def _give_up(self, error: OSError) -> NoReturn:
        with suppress(OSError):
            self._cut_back()
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            # After a failed fsync the system may have dropped pages that look written: only reading the
            # file again tells what it holds.
            self.close()
        raise LedgerError(
            f"the ledger {self.path} can't be written ({error.strerror}): "
            "nothing before this entry is lost; make room, or check the disk, and go on"
        ) from error

    def _cut_back(self) -> None:
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, self._end)
        os.fsync(self._descriptor)


def lock(descriptor: int, path: Path) -> None:
    """Make sure that no other process writes the file. Some systems have no such locks."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerError(f"another process writes {path}: stop it, or choose another directory") from None
    except OSError:
        return  # some network file systems


def _sync_directory(path: Path) -> None:
    """The file's name must survive a crash too."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
