"""The report as one HTML file: no script, nothing loaded from elsewhere, every text escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from btard.arena.figures import Drawn
from btard.arena.report import Report, Section
from btard.arena.table import Entry, Table
from btard.arena.timing import HEADINGS, TimingTable
from btard.arena.wording import TIMING_NOTE, drawn_title, parts


def html(report: Report, drawn: Sequence[Drawn] = ()) -> str:
    """The page; `drawn` are the figures, which go into it."""
    title = escape(report.title)
    body = [f"<h1>{title}</h1>"]
    body += [f"<p>{escape(report.description.strip())}</p>"] if report.description.strip() else []
    body.append(f'<p class="soft">{escape(report.metric)} Green and bold: the best of its column.</p>')
    body += [f'<p class="soft">{escape(each)}</p>' for each in report.legend]
    if report.missing:
        body.append(f'<p class="warning">{report.missing} of {report.cells} cells were not run.</p>')
    for index, section in enumerate(report.sections):
        body += _section(report, section, [each for each in drawn if each.section == index])
    if report.timed:
        body += ["<h2>Times and decode errors</h2>", f'<p class="soft">{escape(TIMING_NOTE)}</p>']
        body += [part for s in report.sections if s.timing for part in _timing(report, s.timing)]
    for heading, rows in parts(report):
        items = [f"<li><code>{escape(name)}</code>: {escape(reason)}</li>" for name, reason in rows]
        body += [f"<h2>{escape(heading)}</h2>", "<ul>", *items, "</ul>"]
    body += _reproduction(report)
    style = (files("btard.arena") / "report.css").read_text(encoding="utf-8")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>\n{style}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _section(report: Report, section: Section, drawn: Sequence[Drawn]) -> list[str]:
    name = section.table.name
    lines = [f"<h2>{escape(name or 'Accuracy')}</h2>", *_table(report, section.table)]
    for each in drawn:
        caption = escape(drawn_title(report, each, name))
        source = f"data:image/svg+xml;base64,{base64.b64encode(each.svg).decode()}"
        lines.append(
            f'<figure><img src="{source}" alt="{caption}" width="{each.width}" height="{each.height}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return lines


def _table(report: Report, table: Table) -> list[str]:
    heading = [report.rows, *table.columns, *(["worst"] if table.has_worst else [])]
    rows = []
    for row in table.rows:
        cells = [_cell(entry) for entry in row.entries]
        if table.has_worst:
            best = " best" if row.worst and row.worst.best else ""
            cells.append(f'<td class="worst{best}">{escape(row.worst.text) if row.worst else "–"}</td>')
        rows.append(f'<tr><th scope="row">{escape(row.name)}</th>{"".join(cells)}</tr>')
    return _grid(heading, rows)


def _cell(entry: Entry) -> str:
    kind = "best" if entry.best else "none" if entry.mean is None else ""
    attributes = f' class="{kind}"' if kind else ""
    attributes += f' title="{escape(entry.impossible)}"' if entry.impossible else ""
    return f"<td{attributes}>{escape(entry.text)}</td>"


def _timing(report: Report, table: TimingTable) -> list[str]:
    rows = []
    for row in table.rows:
        cells = "".join(f"<td>{escape(text)}</td>" for text in row.texts)
        column = f'<td class="left">{escape(row.column)}</td>'
        rows.append(f'<tr><th scope="row">{escape(row.row)}</th>{column}{cells}</tr>')
    title = [f"<h3>{escape(table.name)}</h3>"] if table.name else []
    return [*title, *_grid((report.rows, report.columns, *HEADINGS), rows)]


def _reproduction(report: Report) -> list[str]:
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td class="left">{escape(value)}</td></tr>'
        for name, value in report.settings
    ]
    return [
        "<h2>To repeat it</h2>",
        f"<pre>{escape(report.command)}</pre>",
        f"<p>{report.cells} cells; computed by {escape(report.numerics)}. What all cells share:</p>",
        *_grid(("field", "value"), rows),
        "<details><summary>The spec</summary>",
        f"<pre>{escape(report.spec_text.rstrip())}</pre>",
        "</details>",
    ]


def _grid(heading: Sequence[str], rows: Iterable[str]) -> list[str]:
    columns = "".join(f'<th scope="col">{escape(text)}</th>' for text in heading)
    return [
        '<div class="scroll"><table>',
        f"<thead><tr>{columns}</tr></thead>",
        "<tbody>",
        *rows,
        "</tbody>",
        "</table></div>",
    ]
