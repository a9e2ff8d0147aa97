"""The figures of a report: a heat map and accuracy over steps, as PNG and SVG. The same results give the same
bytes. matplotlib is the extra `figures`; importing this module does not need it."""

from __future__ import annotations

import base64
import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from btard.arena.curves import Curve
from btard.arena.report import Report, Section
from btard.arena.table import Table, folded, per_cent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 130
LINES_MAX = 8
"""Upper bound on the lines in one panel; more rows make more figures."""

# Colours that the colour-blind tell apart (Okabe, Ito 2008), without their yellow, too pale for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D1F")
STYLES = ("-", "--", "-.", ":")
NO_RESULT = "#e4e4e4"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure of the section whose table is called `section`.

    `file` is its PNG, relative to the report; width and height are in CSS pixels.
    """

    section: str
    caption: str
    file: str
    png: bytes
    svg: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The SVG as an address that needs no file."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg).decode()}"


def draw(report: Report) -> tuple[Drawn, ...]:
    """Draw all figures. Raises ImportError without matplotlib."""
    return tuple(_draw(report))


def _draw(report: Report) -> Iterator[Drawn]:
    for index, section in enumerate(report.sections):
        number = f"-{index + 1}" if len(report.sections) > 1 else ""
        if any(entry.value is not None for row in section.table.rows for entry in row.entries):
            caption = f"Accuracy by {report.rows} and {report.columns}"
            yield _drawn(section, caption, f"heat{number}", _heat_map(report, section.table))
        rows = [row.names[0] for row in section.table.rows]
        for part, chosen in enumerate(groups := _evenly(rows, LINES_MAX)):
            letter = chr(ord("a") + part) if len(groups) > 1 else ""
            if any(curve.row in chosen for curve in section.curves):
                caption = f"Accuracy over steps, a panel a value of {report.columns}; bands: all seeds"
                figure = _small_multiples(report, section, chosen)
                yield _drawn(section, caption, f"curves{number}{letter}", figure)


def _drawn(section: Section, caption: str, stem: str, figure: Figure) -> Drawn:
    import matplotlib

    # Ids in the SVG are hashes with a salt, which is random unless it is given.
    with matplotlib.rc_context({"svg.hashsalt": "btard"}):
        png, svg = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    name = section.table.name
    caption += f" ({name})" if name else ""
    return Drawn(name, caption, f"figures/{stem}.png", png.getvalue(), svg.getvalue(), width, height)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _heat_map(report: Report, table: Table) -> Figure:
    columns = _columns(table)
    names = [row.names[0] for row in table.rows]
    figure = _figure(1.7 + 0.085 * max(map(len, names)) + 0.95 * len(columns), 1.5 + 0.38 * len(names))
    axes = figure.subplots()
    entries = [row.entries[: len(columns)] for row in table.rows]
    means = [[math.nan if e.value is None else 100 * e.value for e in row] for row in entries]
    axes.set_facecolor(NO_RESULT)
    image = axes.imshow(means, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for y, row in enumerate(entries):
        for x, entry in enumerate(row):
            if entry.value is not None:
                colour = "black" if entry.value > 0.45 else "white"
                weight = "bold" if entry.best else "normal"
                text = per_cent(entry.value)
                axes.text(x, y, text, ha="center", va="center", color=colour, weight=weight, size=9)
    headings = [folded(each) for each in columns]
    axes.set_xticks(range(len(columns)), headings, size=9, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names, size=9)
    axes.set_xlabel(report.columns)
    axes.set_ylabel(report.rows)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks([x - 0.5 for x in range(1, len(columns))], minor=True)
    axes.set_yticks([y - 0.5 for y in range(1, len(names))], minor=True)
    axes.grid(which="minor", color="white", lw=1.5)
    figure.colorbar(image, ax=axes, label="accuracy, %", fraction=0.05, pad=0.02)
    figure.suptitle(_wrapped(table.name or report.title, figure.get_figwidth()), size=10, x=0.02, ha="left")
    return figure


def _small_multiples(report: Report, section: Section, rows: Sequence[str]) -> Figure:
    columns = _columns(section.table)
    across = _across(len(columns))
    down = -(-len(columns) // across)
    legend = _legend_columns(rows, across)
    figure = _figure(1.2 + 3.1 * across, 1.2 + 2.3 * down + 0.22 * -(-len(rows) // legend))
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    every = [axes for line in grid for axes in line]
    for axes, column in zip(every, columns, strict=False):
        _panel(axes, [each for each in section.curves if each.column == column], rows)
        name = column if report.columns == "attack" else f"{report.columns} = {column}"
        axes.set_title(name, size=10, loc="left")
    for axes in every[len(columns) :]:
        axes.set_axis_off()
    for axes in every[max(0, len(columns) - across) : len(columns)]:
        axes.set_xlabel("step")
        axes.tick_params(labelbottom=True)
    for line in grid:
        line[0].set_ylabel("accuracy, %")
    lines = {handle.get_label(): handle for axes in every for handle in axes.get_lines()}
    handles = [lines[row] for row in rows if row in lines]
    figure.legend(handles=handles, loc="outside lower center", ncols=legend, frameon=False, fontsize=9)
    if title := section.table.name:
        figure.suptitle(_wrapped(title, figure.get_figwidth()), size=10, x=0.02, ha="left")
    return figure


def _columns(table: Table) -> tuple[str, ...]:
    return table.columns[: len(table.columns) - table.has_worst]


def _panel(axes: Axes, curves: Sequence[Curve], rows: Sequence[str]) -> None:
    for curve in curves:
        if curve.row in rows:
            place = rows.index(curve.row)
            colour, style = COLOURS[place % len(COLOURS)], STYLES[place % len(STYLES)]
            axes.plot(curve.steps, curve.mean, color=colour, ls=style, lw=1.6, label=curve.row)
            axes.fill_between(curve.steps, curve.least, curve.greatest, color=colour, alpha=0.15, lw=0)
    axes.set_ylim(0, 101)
    axes.margins(x=0.01)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _evenly(rows: Sequence[str], most: int) -> list[Sequence[str]]:
    """Return the rows in the fewest groups of at most `most` rows, equal in size up to one row."""
    count = -(-len(rows) // most)
    ends = [len(rows) * part // count for part in range(count + 1)]
    return [rows[start:end] for start, end in pairwise(ends)]


def _across(panels: int) -> int:
    """Return how many panels stand in a line: three or four, whichever leaves fewer places empty."""
    if panels <= 4:
        return 2 if panels == 4 else panels
    return min((3, 4), key=lambda across: -panels % across)


def _legend_columns(rows: Sequence[str], across: int) -> int:
    """Return how many columns fit: a letter takes about 0.08 inches, line and gap 0.6."""
    width = 1.2 + 3.1 * across
    return max(1, min(len(rows), int(width / (0.6 + 0.08 * max(map(len, rows))))))


def _wrapped(text: str, inches: float) -> str:
    return "\n".join(textwrap.wrap(text, max(20, int(inches * 11))))
