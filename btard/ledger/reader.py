"""A ledger's file format, and how it is read.

`protocols/ledger.md` has the format: a magic line, then frames of [length | check | payload | digest], the
first of them the header, each later one a ledger entry; every byte is under a chain of digests. Reading is
strict and streams: one frame in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import msgpack

from btard.crypto import digest
from btard.errors import LedgerError
from btard.ledger.header import LedgerHeader
from btard.protocol.record import Entry, Record
from btard.types import Digest
from btard.wire import MAX_PEERS, Rejection, decode, encode

FILE_NAME = "ledger.btard"
"""Of the ledger in a run's directory."""

MAGIC = b"btard ledger 1\n"
LENGTH_BYTES = 4
CHECK_BYTES = 4
DIGEST_BYTES = 32
FRAME_BYTES_MAX = 2**30
"""Of a payload. A dispute's views are the most that an entry holds: two of 2 MiB from each of 256 peers."""

MESSAGES_MAX = 32 * MAX_PEERS
"""Of one entry's transcript: two a slot, in eight phases, and room to spare."""

_HEADER = -1
_HEAD_BYTES = LENGTH_BYTES + CHECK_BYTES


def first_link() -> Digest:
    """What the first frame is chained to."""
    return digest("ledger file", MAGIC)


def length_check(previous: Digest, length: bytes) -> bytes:
    """Tells an altered length from a file that ends early."""
    return digest("ledger frame length", previous, length)[:CHECK_BYTES]


def next_link(previous: Digest, payload: bytes) -> Digest:
    """The digest that ends a frame: over its payload and, through `previous`, all before it."""
    return digest("ledger frame", previous, payload)


def encode_entry(entry: Entry) -> bytes:
    """The payload of an entry's frame: canonical msgpack of [record, [transcript], [certificate]]."""
    packed: bytes = msgpack.packb([encode(entry.record), list(entry.transcript), list(entry.certificate)])
    return packed


class LedgerReader:
    """Reads a ledger from its header on. Iterating yields the entries once, in order.

    Every byte is verified before it is used; the signatures and rules are not (`protocol/ledger.py`).
    Raises LedgerError, naming the record or the header, at the first byte that is not as it was written.
    With `forgive_torn_tail` a last frame that a crash cut short ends the iteration, and `torn_bytes` is its
    size; without, it is an error as any other."""

    def __init__(self, path: Path, forgive_torn_tail: bool = False) -> None:
        self._path = path
        self._forgive = forgive_torn_tail
        self.torn_bytes = 0
        self.index = 0
        try:
            self.size_bytes = path.stat().st_size
            self._file: BufferedReader = path.open("rb")
        except OSError as error:
            raise LedgerError(
                f"the ledger {path} can't be read ({error.strerror}): check its path"
            ) from error
        try:
            if self._file.read(len(MAGIC)) != MAGIC:
                raise LedgerError(f"the header of {path} does not hold: it is no ledger of this version")
            self.position = len(MAGIC)
            self.head = first_link()
            raw = self._frame(_HEADER)
            assert raw is not None, "a torn header is never forgiven"
            self.header = LedgerHeader.from_bytes(raw)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Entry]:
        """The entries; `index` counts those read, `position` is where the next frame begins."""
        while self.position < self.size_bytes:
            raw = self._frame(self.index)
            if raw is None:
                return
            entry = _decode_entry(raw, self.index)
            self.index += 1
            yield entry

    def __enter__(self) -> LedgerReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _frame(self, index: int) -> bytes | None:
        """The payload of the next frame, None where its tail is torn and forgiven."""
        left = self.size_bytes - self.position
        try:
            head = self._file.read(_HEAD_BYTES)
            if len(head) < _HEAD_BYTES:
                return self._torn(index, left)
            length = head[:LENGTH_BYTES]
            if head[LENGTH_BYTES:] != length_check(self.head, length):
                # A crash may leave space that was allocated and never written.
                if self._forgive and index != _HEADER and not any(head) and self._rest_is_zero():
                    return self._torn(index, left)
                _fail(index, "its length was altered")
            size = int.from_bytes(length, "little")
            if size > FRAME_BYTES_MAX:
                _fail(index, f"it has {size} bytes, more than a frame may have")
            if left < _HEAD_BYTES + size + DIGEST_BYTES:
                return self._torn(index, left)
            payload = self._file.read(size)
            name = self._file.read(DIGEST_BYTES)
        except OSError as error:
            raise LedgerError(f"the ledger {self._path} can't be read ({error.strerror}): copy it") from error
        if name != next_link(self.head, payload):
            _fail(index, "its bytes were altered")
        self.head = Digest(name)
        self.position += _HEAD_BYTES + size + DIGEST_BYTES
        return payload

    def _torn(self, index: int, left: int) -> bytes | None:
        if not self._forgive or index == _HEADER:
            _fail(index, "the file ends in the middle of it")
        self.torn_bytes = left
        self.size_bytes = self.position
        return None

    def _rest_is_zero(self) -> bool:
        while block := self._file.read(1 << 16):
            if any(block):
                return False
        return True


def _fail(index: int, why: str) -> NoReturn:
    what = "the header" if index == _HEADER else f"record {index}"
    raise LedgerError(f"{what} of the ledger does not hold: {why}")


def _decode_entry(raw: bytes, index: int) -> Entry:
    try:
        tree: Any = msgpack.unpackb(raw, max_array_len=MESSAGES_MAX, max_map_len=0, max_ext_len=0)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
        _fail(index, "it is not one entry within the limits")
    match tree:
        case [bytes(record), [*transcript], [*certificate]] if (
            all(type(each) is bytes for each in (*transcript, *certificate)) and msgpack.packb(tree) == raw
        ):
            opened = decode(Record, record)
            if isinstance(opened, Rejection):
                _fail(index, opened.detail or opened.reason.value)
            return Entry(opened, tuple(transcript), tuple(certificate))
    _fail(index, "it is not the canonical encoding of an entry")
