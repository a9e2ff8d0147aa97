"""The vote log: keeps a peer that was started again from signing a second message in a slot.

A process that dies takes with it what it said: its secret, its coin share, what it held of the others. Its
successor under the same key cannot go on in that attempt; if it spoke there at all, it would sign other
messages in the same slots. So the log does not list messages. It holds the last attempt in which this key may
have signed, and is on the disk before a message of that attempt leaves. A successor says nothing in attempts
up to that one, and takes part from the next one on (`protocols/decisions/0011-a-run-is-an-instance.md`).
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path

from btard.crypto import digest
from btard.errors import LedgerError, cannot_write
from btard.machine import Send
from btard.protocol.messages import ViewRelay
from btard.types import Digest, PeerId
from btard.wire import Sealed, decode, open_sealed

Place = tuple[int, int]
"""Step and attempt."""

NOWHERE: Place = (0, -1)
"""Before the first attempt: nothing was signed."""

SLOT_BYTES = 4096
"""The file has two slots, each in sectors of its own: a write that is cut off spoils one of them."""


def votes_path(key: Path, run: Digest) -> Path:
    """Return where the log of a key and a run lies: beside the key, for it must outlive the run's folder."""
    return key.with_name(f"{key.name}.votes") / run.hex()


class VoteLog:
    """The log of the key of `me` in a run, of constant size. Only the process that holds the key may open it.

    `before` is the last attempt in which an earlier process may have signed, NOWHERE without one. Raises
    LedgerError if the file cannot be read or made, or is corrupt."""

    def __init__(self, path: Path, run: Digest, me: PeerId) -> None:
        self.path = path
        self._run = run
        self._me = me
        try:
            if not path.exists():
                self._create()
            self._file: FileIO = path.open("r+b", buffering=0)
            content = self._file.read(2 * SLOT_BYTES)
        except OSError as error:
            raise self._unwritable(error) from error
        self._marks = [self._mark(content[start : start + SLOT_BYTES]) for start in (0, SLOT_BYTES)]
        marks = [mark for mark in self._marks if mark is not None]
        if not marks:
            self.close()
            raise LedgerError(f"the vote log {path} is corrupt: join this run with another --key")
        self.before = self._last = max(marks)

    def vouch(self, before: Place) -> None:
        """Hold back nothing after `before`: this process says the same as the earlier one did
        (`revival.py`)."""
        self.before = before

    def close(self) -> None:
        """Close the file; closing it again changes nothing."""
        self._file.close()

    def permit(self, messages: list[Send], place: Place) -> list[Send]:
        """Return those of a machine's messages that may leave. The machine is at `place` by now, and has
        signed nothing of a later one: so the log is written here, once an attempt.

        Raises LedgerError if it cannot be written; then nothing may leave."""
        if messages and place > self._last:
            self._write(place)
        if self.before == NOWHERE:
            return messages
        return [send for send in messages if not self._is_repeated(send.raw)]

    def _is_repeated(self, raw: bytes) -> bool:
        """Whether an earlier process may have signed something else in place of these bytes. The messages of
        a view are its author's, so relays of views count; requests, and what others signed, do not."""
        sealed = open_sealed(raw)
        if isinstance(sealed, Sealed):
            said = sealed.envelope
            return said.sender == self._me and (said.step, said.attempt) <= self.before
        relay = decode(ViewRelay, raw)
        return isinstance(relay, ViewRelay) and (relay.step, relay.attempt) <= self.before

    # ------------------------------------------------------------ the file

    def _slot(self, place: Place) -> bytes:
        words = b"".join(number.to_bytes(8, "little", signed=True) for number in place)
        return words + digest("own last attempt", self._run, self._me, words)

    def _mark(self, slot: bytes) -> Place | None:
        """Return what a slot holds, None if it is empty or was cut off."""
        step, attempt = (int.from_bytes(slot[at : at + 8], "little", signed=True) for at in (0, 8))
        whole = self._slot((step, attempt))
        return (step, attempt) if slot[: len(whole)] == whole else None

    def _write(self, place: Place) -> None:
        """Bring the place to the disk, into the slot that does not hold the newest one."""
        other = 1 - self._marks.index(self._last)
        try:
            slot = self._slot(place)
            if os.pwrite(self._file.fileno(), slot, other * SLOT_BYTES) < len(slot):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error
        self._marks[other] = self._last = place

    def _create(self) -> None:
        """Make the file, whole at once: one without a valid slot is corrupt, and not new."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        part = self.path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(self._slot(NOWHERE).ljust(2 * SLOT_BYTES, b"\0"))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
        _sync(self.path.parent)
        _sync(self.path.parent.parent)

    def _unwritable(self, error: OSError) -> LedgerError:
        return LedgerError(cannot_write(self.path, error, "--key") + " or make room")


def _sync(folder: Path) -> None:
    """Make the names of its files survive a crash too, on systems that can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
