"""The directory of a run: ledger, checkpoints, metrics, summary and figure.

runs/<name>/
    ledger.btard        every record with the signed messages it follows from (`ledger_file.py`)
    checkpoints/        models before and after some steps, for `btard audit --recompute`
    metrics.jsonl       one `StepReport` a record
    summary.json        how it ended
    figure.png          accuracy and loss over steps, attacks and bans marked
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from btard.errors import ConfigurationError, LedgerError
from btard.ledger.file import LedgerFile
from btard.ledger.header import LedgerHeader
from btard.run.report import StepReport


class RunDirectory:
    """Makes the directory. An earlier run of the same name is replaced; a directory with anything else in
    it is refused. A context manager, which closes the ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self._metrics = path / "metrics.jsonl"
        self._ledger: LedgerFile | None = None
        try:
            if path.exists():
                self._check_replaceable()
                shutil.rmtree(path)
            path.mkdir(parents=True)
            self._metrics.touch()
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ledger is not None:
            self._ledger.close()

    def _check_replaceable(self) -> None:
        ours = self.path.is_dir() and (self._metrics.exists() or not any(self.path.iterdir()))
        if not ours:
            raise ConfigurationError(
                f"{self.path} is not the directory of a run: choose another with --run-dir"
            )

    def _unwritable(self, error: OSError) -> LedgerError:
        return LedgerError(
            f"can't write to {self.path} ({os.strerror(error.errno or 0)}): "
            "free some space or choose another directory with --run-dir"
        )

    def create_ledger(self, header: LedgerHeader) -> LedgerFile:
        """The run's ledger, empty."""
        self._ledger = LedgerFile.create(self.path / "ledger.btard", header)
        return self._ledger

    def add_metrics(self, report: StepReport) -> None:
        """Append a record's metrics."""
        try:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.write(report.to_json() + "\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def write_summary(self, summary: dict[str, Any]) -> Path:
        """Write the summary, as the last thing."""
        path = self.path / "summary.json"
        try:
            path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error
        return path
