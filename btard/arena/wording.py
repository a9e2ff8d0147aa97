"""Words that Markdown, HTML and the terminal share."""

from __future__ import annotations

from btard.arena.figures import Drawn
from btard.arena.report import Report

TIMING_NOTE = (
    "Milliseconds a step, the mean over seeds; truest with --jobs 1 on a quiet machine. Times differ from run"
    " to run and from machine to machine: the promise that the same spec gives the same tables ends here."
)


def parts(report: Report) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """The lists of cells without a result, those that there are, with their titles."""
    lists = (("Not possible", report.impossible), ("Crashed", report.crashed))
    return [(title, rows) for title, rows in lists if rows]


def drawn_title(report: Report, drawn: Drawn, split: str) -> str:
    """What a figure shows, in words."""
    where = f" ({split})" if split else ""
    if drawn.kind == "heat":
        return f"Accuracy by {report.rows} and {report.columns}{where}"
    return f"Accuracy over steps, a panel a value of {report.columns}; bands: all seeds{where}"
