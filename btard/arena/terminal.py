"""The tables on a terminal: as many columns side by side as fit, the others below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from btard.arena.report import TIMING_NOTE, Report
from btard.arena.table import NAME_MAX, Table, folded

GAP = 2
LABEL_MAX = 28
"""Upper bound on the width of a column of names; longer ones are folded."""

Column = tuple[str, list[str]]


def show_report(console: Console, report: Report) -> None:
    """Print the tables of the report, and the cells without a result."""
    for section in report.sections:
        _show_table(console, section.table, section.table.name or report.title)
    console.print()
    for sentence in (f"{report.metric} *: the best of its column.", *report.legend):
        console.print(sentence, highlight=False)
    if report.timings:
        console.print(f"\n{TIMING_NOTE}", highlight=False)
    for table in report.timings:
        _show_table(console, table, table.name)
    for title, cells in report.unfinished:
        console.print(f"\n[bold]{title}[/]")
        for name, reason in cells:
            console.print(f"  {escape(name)}: {escape(reason)}", highlight=False)
    if report.missing:
        console.print(f"{report.missing} of {report.cells} cells were not run.", highlight=False)


def _show_table(console: Console, table: Table, title: str) -> None:
    names = [(label, [row.names[i] for row in table.rows]) for i, label in enumerate(table.labels)]
    shown = [[f"*{each.text}" if each.best else each.text for each in row.entries] for row in table.rows]
    columns = [(heading, [row[i] for row in shown]) for i, heading in enumerate(table.columns)]
    widths = [min(LABEL_MAX, max(map(cell_len, (label, *texts)))) for label, texts in names]
    for number, block in enumerate(_blocks(columns, console.width - sum(widths) - GAP * (len(widths) - 1))):
        grid = Grid(
            title=escape(title) if title and number == 0 else None,
            title_justify="left",
            title_style="bold",
            show_edge=False,
            pad_edge=False,
            padding=(0, GAP - 1, 0, 0),
            box=box.SIMPLE_HEAD,
        )
        for (label, _), width in zip(names, widths, strict=True):
            grid.add_column(label, overflow="fold", max_width=width)
        for heading, texts in block:
            grid.add_column(
                escape(folded(heading)), justify="right", overflow="fold", max_width=_width(heading, texts)
            )
        for row in zip(*(texts for _, texts in (*names, *block)), strict=True):
            grid.add_row(*(f"[bold green]{escape(t)}[/]" if t.startswith("*") else escape(t) for t in row))
        console.print()
        console.print(grid)


def _blocks(columns: Sequence[Column], room: int) -> Iterator[list[Column]]:
    """Yield the columns in order, as many at a time as fit into `room`, and at least one."""
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
    lines = map(cell_len, folded(heading).split())
    return max(min(NAME_MAX, max(lines)), *map(cell_len, texts))
