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
from typing import Any

from btard.errors import ConfigurationError, LedgerError
from btard.node.ledger_file import LedgerFile
from btard.node.ledger_header import LedgerHeader
from btard.node.report import StepReport


class RunDirectory:
    """Makes the directory. An earlier run of the same name is replaced; a directory with anything else in
    it is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        try:
            if path.exists():
                self._check_replaceable()
                shutil.rmtree(path)
            path.mkdir(parents=True)
            self._metrics = (path / "metrics.jsonl").open("w", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def _check_replaceable(self) -> None:
        if not self.path.is_dir() or (
            any(self.path.iterdir()) and not (self.path / "metrics.jsonl").exists()
        ):
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
        return LedgerFile.create(self.path / "ledger.btard", header)

    def add_metrics(self, report: StepReport) -> None:
        """Append a record's metrics."""
        try:
            self._metrics.write(report.to_json() + "\n")
            self._metrics.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def write_summary(self, summary: dict[str, Any]) -> Path:
        """Write the summary, as the last thing."""
        path = self.path / "summary.json"
        try:
            self._metrics.close()
            path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error
        return path
