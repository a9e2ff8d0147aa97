"""A ledger's file format, and how it is read.

`protocols/ledger.md` has the format: a magic line, then frames of [length | check | payload | digest], the
first of them the header, each later one a ledger entry; every byte is under a chain of digests. Reading is
strict and streams: one frame in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
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
FIRST_LINK = digest("ledger file", MAGIC)
"""What the first frame is chained to."""

LENGTH_BYTES = 4
CHECK_BYTES = 4
DIGEST_BYTES = 32
FRAME_BYTES_MAX = 2**30
"""Of a payload. A dispute's views are the most that an entry holds: two of 2 MiB from each of 256 peers."""

MESSAGES_MAX = 32 * MAX_PEERS
"""Of one entry's transcript: two a slot, in eight phases, and room to spare."""

_HEADER = -1
_HEAD_BYTES = LENGTH_BYTES + CHECK_BYTES


def encode_frame(previous: Digest, payload: bytes) -> tuple[bytes, Digest]:
    """Return the frame of a payload, which follows the one whose digest is `previous`, and its digest."""
    length = len(payload).to_bytes(LENGTH_BYTES, "little")
    link = _link(previous, payload)
    return length + _check(previous, length) + payload + link, link


def frames(raw: bytes, start: int, link: Digest, size_max: int) -> Iterator[tuple[bytes, int, Digest]]:
    """Yield payload, end and digest of each frame in bytes from `start` on, the first of which follows the
    frame whose digest is `link`. Ends before the first frame that is not whole as it was written."""
    while len(raw) - start >= _HEAD_BYTES:
        length = raw[start : start + LENGTH_BYTES]
        size = int.from_bytes(length, "little")
        body = start + _HEAD_BYTES
        end = body + size + DIGEST_BYTES
        if size > size_max or end > len(raw) or raw[start + LENGTH_BYTES : body] != _check(link, length):
            return
        payload = raw[body : body + size]
        link = _link(link, payload)
        if raw[body + size : end] != link:
            return
        yield payload, end, link
        start = end


def encode_entry(entry: Entry) -> bytes:
    """Return an entry's payload: canonical msgpack of [record, [transcript], [certificate]]."""
    packed: bytes = msgpack.packb([encode(entry.record), list(entry.transcript), list(entry.certificate)])
    return packed


class LedgerReader:
    """Reads a ledger from its header on. Iterating yields the entries once, in order.

    Every byte is verified before it is used; the signatures and rules are not (`protocol/ledger.py`).
    Raises LedgerError, naming the record or the header, at the first byte that is not as it was written.

    `torn`: the file may end in the trace of a crash, a frame that was not written to its end. Reading then
    ends before it, and `position` is where its writer may go on."""

    def __init__(self, path: Path, torn: bool = False) -> None:
        self._path = path
        self._torn = torn
        try:
            self.size_bytes = path.stat().st_size
            self._file: BufferedReader = path.open("rb")
        except OSError as error:
            raise LedgerError(
                f"the ledger {path} cannot be read ({error.strerror}): check its path"
            ) from error
        try:
            if self._file.read(len(MAGIC)) != MAGIC:
                raise LedgerError(f"the header of {path} does not hold: it is no ledger of this version")
            self.position = len(MAGIC)
            self.head = FIRST_LINK
            self.header = LedgerHeader.from_bytes(self._frame(_HEADER))
        except BaseException:
            self._file.close()
            raise

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries; `position` is where the next frame begins."""
        index = 0
        while self.position < self.size_bytes and not (self._torn and self._is_cut_off()):
            yield _decode_entry(self._frame(index), index)
            index += 1

    def __enter__(self) -> LedgerReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def _is_cut_off(self) -> bool:
        """Return whether the next frame is the trace of a crash: it ends with the file, or all from here on
        is zeros."""
        try:
            head = self._file.peek(_HEAD_BYTES)[:_HEAD_BYTES]
            length = head[:LENGTH_BYTES]
            if len(head) == _HEAD_BYTES and head[LENGTH_BYTES:] != _check(self.head, length):
                rest = self._file.read()
                self._file.seek(self.position)
                return not any(rest)
        except OSError:
            return False  # `_frame` says so
        whole = _HEAD_BYTES + int.from_bytes(length, "little") + DIGEST_BYTES
        return self.size_bytes - self.position < whole

    def _frame(self, index: int) -> bytes:
        """Return the payload of the next frame."""
        left = self.size_bytes - self.position
        try:
            head = self._file.read(_HEAD_BYTES)
            length = head[:LENGTH_BYTES]
            size = int.from_bytes(length, "little")
            if len(head) == _HEAD_BYTES and head[LENGTH_BYTES:] != _check(self.head, length):
                _fail(index, "its length was altered")
            if left < _HEAD_BYTES + size + DIGEST_BYTES:
                _fail(index, "the file ends in the middle of it")
            if size > FRAME_BYTES_MAX:
                _fail(index, f"it has {size} bytes, more than a frame may have")
            payload = self._file.read(size)
            link = self._file.read(DIGEST_BYTES)
        except OSError as error:
            why = f"cannot be read ({error.strerror}): copy it"
            raise LedgerError(f"the ledger {self._path} {why}") from error
        if link != _link(self.head, payload):
            _fail(index, "its bytes were altered")
        self.head = Digest(link)
        self.position += _HEAD_BYTES + size + DIGEST_BYTES
        return payload


def _check(previous: Digest, length: bytes) -> bytes:
    """Return the bytes that tell an altered length from a file that ends early."""
    return digest("ledger frame length", previous, length)[:CHECK_BYTES]


def _link(previous: Digest, payload: bytes) -> Digest:
    """Return the digest that ends a frame: of its payload and, through `previous`, of all before it."""
    return digest("ledger frame", previous, payload)


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
