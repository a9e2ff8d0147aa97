"""The tables on a terminal: as many columns side by side as fit, the others below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from btard.arena.report import Report, Section
from btard.arena.table import Table
from btard.arena.timing import HEADINGS, TimingTable
from btard.arena.wording import TIMING_NOTE, parts

GAP = 2
NAME_MAX = 28
"""Widest column of names; longer ones are folded."""

HEADING_MAX = 14
Column = tuple[str, list[str]]


def show_report(console: Console, report: Report) -> None:
    """Print the report's tables, and what has no result."""
    for section in report.sections:
        for grid in _tables(console.width, report, section.table):
            console.print()
            console.print(grid)
    console.print()
    console.print(" ".join((report.metric, "*: the best of its column.")), highlight=False)
    for sentence in report.legend:
        console.print(sentence, highlight=False)
    if report.timed:
        console.print(f"\n{TIMING_NOTE}", highlight=False)
        for grid in _timings(report.sections, report):
            console.print()
            console.print(grid)
    for title, rows in parts(report):
        console.print(f"\n[bold]{title}[/]")
        for name, reason in rows:
            console.print(f"  {escape(name)}: {escape(reason)}", highlight=False)
    if report.missing:
        console.print(f"{report.missing} of {report.cells} cells were not run.", highlight=False)


def _tables(width: int, report: Report, table: Table) -> Iterator[Grid]:
    names = [row.name for row in table.rows]
    columns: list[Column] = [
        (heading, [_marked(row.entries[i].text, row.entries[i].best) for row in table.rows])
        for i, heading in enumerate(table.columns)
    ]
    if table.has_worst:
        worst = [_marked(row.worst.text, row.worst.best) if row.worst else "–" for row in table.rows]
        columns.append(("worst", worst))
    label = min(NAME_MAX, max(map(cell_len, [report.rows, *names])))
    for number, block in enumerate(_blocks(columns, width - label)):
        grid = _grid((table.name or report.title) if number == 0 else None)
        grid.add_column(report.rows, overflow="fold", max_width=NAME_MAX)
        for heading, texts in block:
            width = _width(heading, texts)
            grid.add_column(escape(_folded(heading)), justify="right", overflow="fold", max_width=width)
        for i, name in enumerate(names):
            grid.add_row(escape(name), *(_styled(texts[i]) for _, texts in block))
        yield grid


def _blocks(columns: Sequence[Column], room: int) -> Iterator[list[Column]]:
    """The columns in order, as many at a time as fit into `room`, and at least one."""
    block: list[Column] = []
    used = 0
    for column in columns:
        needed = GAP + _width(*column)
        if block and used + needed > room:
            yield block
            block, used = [], 0
        block.append(column)
        used += needed
    yield block


def _width(heading: str, texts: Sequence[str]) -> int:
    lines = map(cell_len, _folded(heading).splitlines())
    return max(min(HEADING_MAX, max(lines)), *map(cell_len, texts))


def _folded(heading: str) -> str:
    """Its arguments on a second line where it is long."""
    return heading.replace("(", "\n(", 1) if cell_len(heading) > HEADING_MAX else heading


def _timings(sections: Sequence[Section], report: Report) -> Iterator[Grid]:
    for section in sections:
        if section.timing is not None:
            yield _timing(section.timing, report)


def _timing(table: TimingTable, report: Report) -> Grid:
    grid = _grid(table.name or None)
    for heading, names in (
        (report.rows, [row.row for row in table.rows]),
        (report.columns, [row.column for row in table.rows]),
    ):
        width = min(NAME_MAX, max(map(cell_len, [heading, *names])))
        grid.add_column(heading, overflow="fold", min_width=width, max_width=width)
    for i, heading in enumerate(HEADINGS):
        width = max(map(cell_len, [*heading.split(), *(row.texts[i] for row in table.rows)]))
        grid.add_column(heading, justify="right", max_width=width)
    for row in table.rows:
        grid.add_row(escape(row.row), escape(row.column), *row.texts)
    return grid


def _grid(title: str | None) -> Grid:
    return Grid(
        title=escape(title) if title else None,
        title_justify="left",
        title_style="bold",
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
        box=box.SIMPLE_HEAD,
    )


def _marked(text: str, best: bool) -> str:
    return f"*{text}" if best else text


def _styled(text: str) -> str:
    return f"[bold green]{escape(text)}[/]" if text.startswith("*") else escape(text)
