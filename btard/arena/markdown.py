"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from btard.arena.figures import Drawn
from btard.arena.report import Report, Section
from btard.arena.table import Table
from btard.arena.timing import HEADINGS, TimingTable
from btard.arena.wording import TIMING_NOTE, drawn_title, parts


def markdown(report: Report, drawn: Sequence[Drawn] = ()) -> str:
    """The report's text; `drawn` are the figures, in files beside it."""
    lines = [f"# {_plain(report.title)}", ""]
    lines += [_plain(report.description.strip()), ""] if report.description.strip() else []
    lines += [" ".join([report.metric, "**Bold**: the best of its column.", *report.legend]), ""]
    lines += [f"**{report.missing} of {report.cells} cells were not run.**", ""] if report.missing else []
    for index, section in enumerate(report.sections):
        lines += _section(report, section, [each for each in drawn if each.section == index])
    if report.timed:
        lines += ["## Times and decode errors", "", TIMING_NOTE, ""]
        for section in report.sections:
            lines += _timing(report, section.timing) if section.timing else []
    for title, rows in parts(report):
        lines += [f"## {title}", "", *(f"- `{name}`: {_plain(reason)}" for name, reason in rows), ""]
    lines += [
        "## To repeat it",
        "",
        f"    {report.command}",
        "",
        f"{report.cells} cells; computed by {report.numerics}. What all cells share:",
        "",
        *_grid(("field", "value"), [(name, f"`{value}`") for name, value in report.settings], "ll"),
        "",
        "The spec:",
        "",
        "```toml",
        report.spec_text.rstrip().replace("```", "` ` `"),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _section(report: Report, section: Section, drawn: Sequence[Drawn]) -> list[str]:
    name = section.table.name
    lines = [f"## {_plain(name)}", ""] if name else ["## Accuracy", ""]
    lines += [*_table(report, section.table), ""]
    for each in drawn:
        lines += [f"![{_plain(drawn_title(report, each, name))}]({each.file})", ""]
    return lines


def _table(report: Report, table: Table) -> list[str]:
    heading = [report.rows, *table.columns, *(["worst"] if table.has_worst else [])]
    rows = []
    for row in table.rows:
        cells = [_marked(entry.text, entry.best) for entry in row.entries]
        if table.has_worst:
            cells.append(_marked(row.worst.text, row.worst.best) if row.worst else "–")
        rows.append((f"`{row.name}`", *cells))
    return _grid(heading, rows, "l" + "r" * (len(heading) - 1))


def _timing(report: Report, table: TimingTable) -> list[str]:
    lines = [f"### {_plain(table.name)}", ""] if table.name else []
    rows = [(f"`{row.row}`", f"`{row.column}`", *row.texts) for row in table.rows]
    heading = (report.rows, report.columns, *HEADINGS)
    return [*lines, *_grid(heading, rows, "ll" + "r" * len(HEADINGS)), ""]


def _marked(text: str, best: bool) -> str:
    return f"**{_plain(text)}**" if best else _plain(text)


def _grid(heading: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> list[str]:
    """A table in Markdown, padded so that its source can be read, too."""
    cells = [[text.replace("|", "\\|") for text in row] for row in (heading, *rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(align))]
    rule = ["-" * (w - 1) + (":" if a == "r" else "-") for w, a in zip(widths, align, strict=True)]

    def padded(row: Sequence[str]) -> str:
        texts = [t.rjust(w) if a == "r" else t.ljust(w) for t, w, a in zip(row, widths, align, strict=True)]
        return f"| {' | '.join(texts)} |"

    return [padded(cells[0]), f"| {' | '.join(rule)} |", *(padded(row) for row in cells[1:])]


def _plain(text: str) -> str:
    """Text in which Markdown finds no markup."""
    for mark in "\\`*_[]<>#":
        text = text.replace(mark, f"\\{mark}")
    return text
