"""`btard audit`: verify a finished run offline, and compute some of its gradients again."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btard.cli import options

if TYPE_CHECKING:
    from btard.ledger.audit import AuditReport


def audit(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The directory of the run.")],
    recompute: Annotated[
        int, typer.Option(metavar="K", min=0, help="Compute K gradients again, drawn from the ledger.")
    ] = 0,
    task: options.Trusted = None,
    json: options.Json = False,
) -> None:
    """Verify a run's ledger: every signature, every coin, every zero sum, every ban.

    Example: btard audit runs/demo --recompute 8
    """
    from btard.cli.verifying import verified
    from btard.ledger.audit import audit as verify
    from btard.training import trust

    if task is not None:
        trust(task)
    report = verified(lambda progress: verify(run_dir, recompute, progress), recompute, json)
    if json:
        typer.echo(dumps({"holds": True, **asdict(report)}, default=bytes.hex))
    else:
        _show(report)


def _show(report: AuditReport) -> None:
    from rich.console import Console
    from rich.table import Table

    from btard.console.progress import printable

    console = Console(soft_wrap=True, highlight=False)
    summary = Table(title=f"run {report.run.hex()[:16]}", title_justify="left", show_header=False)
    rows = {
        "records": f"{report.records}: {report.steps} steps, {report.aborts} aborted attempts",
        "run": "closed: all its steps were made and validated" if report.closed else "not closed",
        "disputes": f"{report.disputes}, {report.endorsed} of them without their views",
        "roster": f"{report.founders} peers at the start, {report.members} at the end",
        "seats lost": f"{len(report.bans)} banned, {len(report.lost_seats) - len(report.bans)} left",
        "missed steps": f"{report.misses}",
        "signatures verified": f"{report.signatures}",
        "coins recomputed": f"{report.coins}",
        "projections summed": f"{report.projections}",
        "gradients recomputed": f"{len(report.recomputed)} of {report.to_recompute} asked for",
    }
    for row in rows.items():
        summary.add_row(*row)
    console.print(summary)
    if report.lost_seats:
        seats = Table("record", "step", "peer", "what", "reason")
        for lost in report.lost_seats:
            cells = (str(lost.index), str(lost.step), lost.peer.hex()[:16], lost.kind, printable(lost.reason))
            seats.add_row(*cells)
        console.print(seats)
    console.print(f"All {report.records} records hold. The ledger ends at {report.head.hex()}.")
