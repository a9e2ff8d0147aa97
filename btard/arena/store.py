"""The results of the arena: one SQLite file of finished cells, which other tools may read while it grows.

cells           one row a cell, keyed by (digest, numerics): a column for every field of Experiment, then
                `status` ("done" or "crashed"), `reason` (of a crash), `diverged` (step or NULL),
                `decode_errors`, `loss` and `accuracy` of the last measurement, and the seconds of
                `Outcome.seconds`: gradients_s, encode_s, attack_s, aggregate_s, total_s
measurements    digest, numerics, step, loss, accuracy

`digest` is `cell.digest_of`; `numerics` is `cell.NUMERICS` and the kind of device, so results of another
version or of a GPU stay in the file and are not mistaken for this one's. SQLite has no NaN: NULL stands for
it. PRAGMA application_id is 0x62746172 ("btar"); PRAGMA user_version is the version of this schema.

Each cell is one transaction in a rollback journal with synchronous=FULL: a kill, or a power cut, loses no
cell that was reported as finished.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Final

from btard.arena.cell import NUMERICS, Result, digest_of
from btard.errors import ConfigurationError, cannot_write
from btard.lab import Experiment, Measurement, Outcome, Seconds
from btard.pool import Failure

APPLICATION: Final = 0x62746172
VERSION: Final = 1

_TYPES: Final = {"str": "TEXT", "Literal": "TEXT", "float": "REAL"}
_SECONDS: Final = tuple(f"{f.name}_s" for f in fields(Seconds))
COLUMNS: Final = {
    **dict.fromkeys(("digest", "numerics"), "TEXT NOT NULL"),
    **{f.name: _TYPES.get(str(f.type).split("[")[0], "INTEGER") for f in fields(Experiment)},
    **{"status": "TEXT NOT NULL", "reason": "TEXT", "diverged": "INTEGER", "decode_errors": "INTEGER"},
    **dict.fromkeys(("loss", "accuracy", *_SECONDS), "REAL"),
}
"""The columns of `cells` and their types."""

_SCHEMA: Final = f"""
BEGIN;
CREATE TABLE cells (
    {", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())},
    PRIMARY KEY (digest, numerics)
) WITHOUT ROWID;
CREATE TABLE measurements (
    digest TEXT NOT NULL, numerics TEXT NOT NULL, step INTEGER NOT NULL, loss REAL, accuracy REAL,
    PRIMARY KEY (digest, numerics, step),
    FOREIGN KEY (digest, numerics) REFERENCES cells (digest, numerics) ON DELETE CASCADE
) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""


class Store(AbstractContextManager["Store"]):
    """The results of one folder, for one kind of device ("cpu" or "cuda"). A context manager.

    It makes the folder and holds a lock on it that ends with the process, so a second arena there is refused.
    Raises ConfigurationError if the folder cannot be written, is in use, or has a file that is not ours.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.path = path
        self.numerics = f"{NUMERICS}, {device.partition(':')[0]}"
        self._folder = _lock(path.parent)
        try:
            self._database = self._open()
        except BaseException:
            os.close(self._folder)
            raise

    def __exit__(self, *_: object) -> None:
        self._database.close()
        os.close(self._folder)

    def add(self, experiment: Experiment, result: Result) -> None:
        """Store the result of a cell in place of an earlier one; on return it survives a kill."""
        digest = digest_of(experiment)
        key = {"digest": digest, "numerics": self.numerics}
        row = dict.fromkeys(COLUMNS) | key | asdict(experiment) | _outcome_columns(result)
        measurements = result.measurements if isinstance(result, Outcome) else ()
        with self._translated(), self._database as transaction:
            transaction.execute(
                "DELETE FROM measurements WHERE digest = ? AND numerics = ?", (digest, self.numerics)
            )
            transaction.execute(
                f"INSERT OR REPLACE INTO cells VALUES ({', '.join('?' * len(COLUMNS))})", [*row.values()]
            )
            transaction.executemany(
                "INSERT INTO measurements VALUES (?, ?, ?, ?, ?)",
                [(digest, self.numerics, m.step, m.loss, m.accuracy) for m in measurements],
            )

    def results(self, experiments: Iterable[Experiment]) -> Mapping[Experiment, Result]:
        """Return the results of these cells, without those that never ended."""
        known = ((each, self._result(digest_of(each))) for each in experiments)
        with self._translated():
            return {each: result for each, result in known if result is not None}

    def _result(self, digest: str) -> Result | None:
        key = (digest, self.numerics)
        names = ", ".join(("status", "reason", "diverged", "decode_errors", *_SECONDS))
        query = f"SELECT {names} FROM cells WHERE digest = ? AND numerics = ?"
        found = self._database.execute(query, key).fetchone()
        if found is None:
            return None
        status, reason, diverged, decode_errors, *seconds = found
        if status != "done":
            return Failure(reason or "no reason is known")
        measurements = self._database.execute(
            "SELECT step, loss, accuracy FROM measurements WHERE digest = ? AND numerics = ? ORDER BY step",
            key,
        )
        return Outcome(
            tuple(Measurement(step, _nan(loss), _nan(accuracy)) for step, loss, accuracy in measurements),
            Seconds(*seconds),
            diverged,
            decode_errors,
        )

    def _open(self) -> sqlite3.Connection:
        with self._translated():
            # SQLite takes a file of a few bytes for an empty database and would overwrite it.
            if self.path.exists() and _head(self.path) not in (b"", b"SQLite format 3\0"):
                raise self._foreign()
            database = sqlite3.connect(self.path)
            try:
                self._prepare(database)
            except BaseException:
                database.close()
                raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        def first(query: str) -> object:
            return database.execute(query).fetchone()[0]

        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA synchronous = FULL")
        if not first("SELECT count(*) FROM sqlite_master") and not first("PRAGMA application_id"):
            database.executescript(_SCHEMA)
        if first("PRAGMA application_id") != APPLICATION:
            raise self._foreign()
        columns = [row[1] for row in database.execute("PRAGMA table_info(cells)")]
        if first("PRAGMA user_version") != VERSION or columns != [*COLUMNS]:
            raise ConfigurationError(
                f"{self.path} was written by a version of btard with other columns: choose another --out"
            )
        if first("PRAGMA quick_check(1)") != "ok":
            raise self._corrupt()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise SQLite's errors as ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = str(error)
            if "full" in text:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path)) from error
            if "not a database" in text:
                raise self._foreign() from None
            if "malformed" in text:
                raise self._corrupt() from None
            raise ConfigurationError(f"{self.path} cannot be used ({text}): choose another --out") from error

    def _foreign(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.path} is not a file of btard's results: move it away or choose another --out"
        )

    def _corrupt(self) -> ConfigurationError:
        return ConfigurationError(f"{self.path} is damaged: move it away and run the command again")


def _outcome_columns(result: Result) -> dict[str, object]:
    if isinstance(result, Failure):
        return {"status": "crashed", "reason": result.reason}
    return {
        "status": "done",
        "diverged": result.diverged,
        "decode_errors": result.decode_errors,
        "loss": result.final.loss,
        "accuracy": result.final.accuracy,
        **dict(zip(_SECONDS, astuple(result.seconds), strict=True)),
    }


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _lock(folder: Path) -> int:
    """Return a descriptor of the folder, which holds the lock until it is closed or the process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError(cannot_write(folder, error, "--out")) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigurationError(
            f"another `btard arena` works in {folder}: wait for its end or choose another --out"
        ) from None
    return descriptor
