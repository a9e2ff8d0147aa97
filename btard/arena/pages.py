"""The report as Markdown and as one HTML file: report.md.jinja and report.html.jinja, filled in.

Every value is escaped unless the template says otherwise. The page has no script and loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from btard.arena.figures import Drawn
from btard.arena.report import TIMING_NOTE, Report
from btard.arena.table import Table


def html(report: Report, drawn: Sequence[Drawn] = ()) -> str:
    """Return the page, with the figures in it."""
    return _HTML.get_template("report.html.jinja").render(report=report, drawn=drawn)


def markdown(report: Report, drawn: Sequence[Drawn] = ()) -> str:
    """Return the text, which refers to the figures in files beside it."""
    return _MARKDOWN.get_template("report.md.jinja").render(report=report, drawn=drawn)


def _plain(value: object) -> str:
    """Return text in which Markdown finds no markup; leave what is marked as safe."""
    return value if isinstance(value, Markup) else re.sub(r"([\\`*_\[\]<>#])", r"\\\1", str(value))


def _code(text: str) -> Markup:
    return Markup(f"`{text}`")


def _grid(table: Table) -> Markup:
    """Return a table in Markdown, padded so that its source can be read, too."""
    left, rows = len(table.labels), [[*table.labels, *table.columns]]
    for row in table.rows:
        texts = (f"**{_plain(e.text)}**" if e.best else _plain(e.text) for e in row.entries)
        rows.append([*(f"`{name}`" for name in row.names), *texts])
    rows = [[text.replace("|", "\\|") for text in row] for row in rows]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * (width - (i >= left)) + ":" * (i >= left) for i, width in enumerate(widths)])

    def line(row: list[str]) -> str:
        columns = enumerate(zip(row, widths, strict=True))
        return " | ".join(text.ljust(w) if i < left else text.rjust(w) for i, (text, w) in columns)

    return Markup("\n".join(f"| {line(row)} |" for row in rows))


def _environment(**options: Any) -> Environment:
    environment = Environment(
        loader=PackageLoader("btard.arena", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.globals["timing_note"] = TIMING_NOTE
    environment.filters |= {"code": _code, "grid": _grid}
    return environment


_HTML = _environment(autoescape=True)
_MARKDOWN = _environment(finalize=_plain)
