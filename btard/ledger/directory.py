"""The directory of a run: ledger, checkpoints, metrics, final model, summary and figure.

runs/<name>/
    ledger.btard        every record with the signed messages it follows from (`file.py`)
    checkpoints/        models before and after some steps, for `btard audit --recompute`
    blobs/              parts of the step under way and the aggregates since a checkpoint, for a resume
    metrics.jsonl       one `AttemptEnded` a record (`btard.run.events`)
    model.safetensors   the newest model when the run ended, for `load_state_dict`
    summary.json        how a local swarm ended
    figure.png          metrics over steps, attacks and bans marked
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from btard.errors import ConfigurationError, LedgerError, cannot_write
from btard.ledger.file import LedgerFile
from btard.ledger.header import LedgerHeader
from btard.ledger.reader import FILE_NAME
from btard.run.events import AttemptEnded, read_event
from btard.types import Digest

CHECKPOINTS = "checkpoints"
BLOBS = "blobs"
FILES = (
    *("metrics.jsonl", FILE_NAME, "model.safetensors", "summary.json", "figure.png"),
    *(f"{CHECKPOINTS}/step-*.safetensors", f"{BLOBS}/*"),
)
"""All that a run writes."""


class RunDirectory:
    """The files of a run. `create` begins a run, `resume` goes on with one, `open` reads one. A context
    manager that closes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics, self.ledger, self.model, self.summary, self.figure, *_ = (path / name for name in FILES)
        self.checkpoints = path / CHECKPOINTS
        self.blobs = path / BLOBS
        self._metrics_file: FileIO | None = None
        self._ledger_file: LedgerFile | None = None

    @classmethod
    def create(cls, path: Path, replace: bool = False) -> RunDirectory:
        """Make the directory, or take an empty one. `replace` deletes the files of an earlier run, and no
        others. Raises ConfigurationError if the directory holds anything else or cannot be written."""
        self = cls(path)
        with self.writing():
            path.mkdir(parents=True, exist_ok=True)
            ours = self.metrics.exists() or self.ledger.exists()
            if not ours and {each.name for each in path.iterdir()} - {"lost+found"}:
                raise ConfigurationError(f"{path} holds other files: choose another directory")
            self._metrics_file = self.metrics.open("ab", buffering=0)
            try:
                _lock(self._metrics_file, path)
                if self._has_begun():
                    self._clear(replace)
                _probe(path / "probe.part")
            except BaseException:
                self.close()
                raise
        return self

    @classmethod
    def resume(cls, path: Path) -> RunDirectory:
        """Take up the directory of a run that was broken off; nothing in it is deleted but the rest of a line
        of metrics that was cut off.

        Raises ConfigurationError if there is no ledger or the directory cannot be written, LedgerError if
        another process writes there."""
        self = cls(path)
        if not self.ledger.is_file():
            raise ConfigurationError(
                f"{path} holds no run to resume: give the --out directory of one, or join without --resume"
            )
        with self.writing():
            self._metrics_file = self.metrics.open("a+b", buffering=0)
            try:
                _lock(self._metrics_file, path)
                _probe(path / "probe.part")
                whole = self.metrics.read_bytes()
                self._metrics_file.truncate(whole.rfind(b"\n") + 1)
            except BaseException:
                self.close()
                raise
        return self

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Open the directory of a run for reading. Raises ConfigurationError if there is none."""
        self = cls(path)
        if not self._has_begun():
            raise ConfigurationError(f"{path} is not the directory of a run: give one that a run has written")
        return self

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the ledger and the metrics, and let another process write here."""
        for file in (self._metrics_file, self._ledger_file):
            if file is not None:
                file.close()

    def create_ledger(self, header: LedgerHeader) -> LedgerFile:
        """Begin the run's ledger."""
        self._ledger_file = LedgerFile(self.ledger, header)
        return self._ledger_file

    def resume_ledger(self, end: int, link: Digest) -> LedgerFile:
        """Go on with the run's ledger behind byte `end` (`LedgerFile.resume`)."""
        self._ledger_file = LedgerFile.resume(self.ledger, end, link)
        return self._ledger_file

    def add_metrics(self, event: AttemptEnded) -> None:
        """Append a record's metrics, a whole line or nothing."""
        file = self._metrics_file
        assert file is not None
        line = f"{event.to_json()}\n".encode()
        with self.writing():
            end = file.seek(0, os.SEEK_END)
            try:
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                with suppress(OSError):
                    file.truncate(end)
                raise

    def events(self) -> Iterator[AttemptEnded]:
        """Yield the metrics in order; a last line that was cut off is left out."""
        for line in self.metrics.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                event = read_event(line)
                assert isinstance(event, AttemptEnded)
                yield event

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the summary, as the last thing."""
        with self.writing():
            self.summary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn an OSError into a ConfigurationError that says what to do."""
        try:
            yield
        except OSError as error:
            raise ConfigurationError(cannot_write(self.path, error, "directory")) from error

    def _has_begun(self) -> bool:
        return self.ledger.exists() or (self.metrics.exists() and self.metrics.stat().st_size > 0)

    def _clear(self, replace: bool) -> None:
        if not replace:
            raise ConfigurationError(
                f"{self.path} holds an earlier run: choose another directory, or replace it with --overwrite"
            )
        assert self._metrics_file is not None
        self._metrics_file.truncate(0)
        for each in (found for pattern in FILES[1:] for found in self.path.glob(pattern)):
            each.unlink()


def _lock(file: FileIO, path: Path) -> None:
    """Make sure that no other process writes the run. Some network file systems have no such locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerError(f"another process writes {path}: stop it, or choose another directory") from None
    except OSError:
        return


def _probe(path: Path) -> None:
    """Raise OSError if nothing can be written."""
    try:
        with path.open("wb") as file:
            file.write(bytes(1 << 15))
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)
