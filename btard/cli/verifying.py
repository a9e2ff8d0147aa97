"""Verification of a run with a bar, for the commands that begin with it."""

from __future__ import annotations

from collections.abc import Callable
from json import dumps
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from btard.ledger.audit import AuditReport, Progress


def verified(verify: Callable[[Progress], AuditReport], recompute: int, json: bool) -> AuditReport:
    """Return what `verify` does, called with a function that shows its progress. Gradients have a bar if
    `recompute` is above 0.

    Ends the command with status 3, and a sentence, if the run does not hold. Raises what else `verify` does,
    LedgerError included if the ledger could not be read."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    from btard.errors import LedgerError

    terminal = Console(stderr=True)
    with Bars(console=terminal, transient=True, disable=not terminal.is_terminal) as bars:
        names = ("ledger", "gradients") if recompute else ("ledger",)
        rows = {name: bars.add_task(name, total=None) for name in names}
        try:
            return verify(lambda name, done, of: bars.update(rows[name], completed=done, total=of))
        except LedgerError as error:
            if isinstance(error.__cause__, OSError):
                raise  # not read, so not judged
            if json:
                typer.echo(dumps({"holds": False, "reason": str(error)}))
            typer.echo(f"btard: {error}", err=True)
            raise typer.Exit(3) from error
