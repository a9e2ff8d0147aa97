"""The figures of a report: a heat map and accuracy over steps, as PNG and SVG, the same bytes for the same
results. matplotlib is the extra `figures`; importing this module does not need it."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from btard.arena.report import Panel, Report, Section
from btard.arena.table import Table, per_cent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 130
LINES_MAX = 8
"""Lines in one panel; more rows are drawn in further figures."""

# Colours that the colour-blind tell apart (Okabe, Ito 2008), but for their yellow, too pale for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D1F")
STYLES = ("-", "--", "-.", ":")
NO_RESULT = "#e4e4e4"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure of the report's section `section`. `file` is its PNG, relative to the report; width and height
    are in CSS pixels."""

    section: int
    kind: Literal["heat", "curves"]
    file: str
    png: bytes
    svg: bytes
    width: int
    height: int


def draw(report: Report) -> tuple[Drawn, ...]:
    """All figures. Raises ImportError without matplotlib."""
    return tuple(_draw(report))


def _draw(report: Report) -> Iterator[Drawn]:
    for index, section in enumerate(report.sections):
        number = f"-{index + 1}" if len(report.sections) > 1 else ""
        if any(entry.mean is not None for row in section.table.rows for entry in row.entries):
            yield _drawn(index, "heat", f"heat{number}", _heat_map(report, section.table))
        rows = [row.name for row in section.table.rows]
        for part, chosen in enumerate(groups := _evenly(rows, LINES_MAX)):
            letter = chr(ord("a") + part) if len(groups) > 1 else ""
            if any(curve.row in chosen for panel in section.panels for curve in panel.curves):
                figure = _small_multiples(report, section, chosen)
                yield _drawn(index, "curves", f"curves{number}{letter}", figure)


def _drawn(section: int, kind: Literal["heat", "curves"], stem: str, figure: Figure) -> Drawn:
    import matplotlib

    # Ids in the SVG are hashes with a salt, which is drawn by chance unless it is given.
    with matplotlib.rc_context({"svg.hashsalt": "btard"}):
        png, svg = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Drawn(section, kind, f"figures/{stem}.png", png.getvalue(), svg.getvalue(), width, height)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _heat_map(report: Report, table: Table) -> Figure:
    rows, columns = len(table.rows), len(table.columns)
    longest = max(len(row.name) for row in table.rows)
    figure = _figure(1.7 + 0.085 * longest + 0.95 * columns, 1.5 + 0.38 * rows)
    axes = figure.subplots()
    means = [[math.nan if e.mean is None else 100 * e.mean for e in row.entries] for row in table.rows]
    axes.set_facecolor(NO_RESULT)
    image = axes.imshow(means, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for y, row in enumerate(table.rows):
        for x, entry in enumerate(row.entries):
            if entry.mean is not None:
                colour = "black" if entry.mean > 0.45 else "white"
                weight = "bold" if entry.best else "normal"
                axes.text(
                    x, y, per_cent(entry.mean), ha="center", va="center", color=colour, weight=weight, size=9
                )
    axes.set_xticks(
        range(columns),
        [_folded(each) for each in table.columns],
        size=9,
        rotation=30,
        ha="right",
        rotation_mode="anchor",
    )
    axes.set_yticks(range(rows), [row.name for row in table.rows], size=9)
    axes.set_xlabel(report.columns)
    axes.set_ylabel(report.rows)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks([x - 0.5 for x in range(1, columns)], minor=True)
    axes.set_yticks([y - 0.5 for y in range(1, rows)], minor=True)
    axes.grid(which="minor", color="white", lw=1.5)
    axes.tick_params(which="minor", length=0)
    figure.colorbar(image, ax=axes, label="accuracy, %", fraction=0.05, pad=0.02)
    figure.suptitle(_wrapped(table.name or report.title, figure.get_figwidth()), size=10, x=0.02, ha="left")
    return figure


def _small_multiples(report: Report, section: Section, rows: Sequence[str]) -> Figure:
    title, panels = section.table.name, section.panels
    across = _across(len(panels))
    down = -(-len(panels) // across)
    figure = _figure(
        1.2 + 3.1 * across, 1.2 + 2.3 * down + 0.22 * (-(-len(rows) // _legend_columns(rows, across)))
    )
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    every = [axes for line in grid for axes in line]
    for axes, panel in zip(every, panels, strict=False):
        _panel(axes, panel, rows)
        name = panel.column if report.columns == "attack" else f"{report.columns} = {panel.column}"
        axes.set_title(name, size=10, loc="left")
    for axes in every[len(panels) :]:
        axes.set_axis_off()
    for axes in every[max(0, len(panels) - across) : len(panels)]:
        axes.set_xlabel("step")
        axes.tick_params(labelbottom=True)
    for line in grid:
        line[0].set_ylabel("accuracy, %")
    handles = {handle.get_label(): handle for axes in every for handle in axes.get_lines()}
    known = [row for row in rows if row in handles]
    figure.legend(
        [handles[row] for row in known],
        known,
        loc="outside lower center",
        ncols=_legend_columns(rows, across),
        frameon=False,
        fontsize=9,
    )
    if title:
        figure.suptitle(_wrapped(title, figure.get_figwidth()), size=10, x=0.02, ha="left")
    return figure


def _panel(axes: Axes, panel: Panel, rows: Sequence[str]) -> None:
    for curve in panel.curves:
        if curve.row not in rows:
            continue
        place = rows.index(curve.row)
        colour, style = COLOURS[place % len(COLOURS)], STYLES[place % len(STYLES)]
        axes.plot(curve.steps, [100 * v for v in curve.mean], color=colour, ls=style, lw=1.6, label=curve.row)
        axes.fill_between(
            curve.steps,
            [100 * v for v in curve.least],
            [100 * v for v in curve.greatest],
            color=colour,
            alpha=0.15,
            lw=0,
        )
    axes.set_ylim(0, 101)
    axes.margins(x=0.01)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _evenly(rows: Sequence[str], most: int) -> list[Sequence[str]]:
    """The rows in as few groups of at most `most` as there must be, equal up to one row."""
    count = -(-len(rows) // most)
    ends = [len(rows) * part // count for part in range(count + 1)]
    return [rows[start:end] for start, end in pairwise(ends)]


def _across(panels: int) -> int:
    """Panels in a line: three or four, whichever leaves fewer places empty."""
    if panels <= 4:
        return 2 if panels == 4 else panels
    return min((3, 4), key=lambda across: -panels % across)


def _legend_columns(rows: Sequence[str], across: int) -> int:
    """As many as fit: a letter takes about 0.08 inches, line and gap 0.6."""
    width = 1.2 + 3.1 * across
    return max(1, min(len(rows), int(width / (0.6 + 0.08 * max(map(len, rows))))))


def _folded(text: str) -> str:
    """A name with arguments on two lines where it is long."""
    return text.replace("(", "\n(", 1) if len(text) > 14 else text


def _wrapped(text: str, inches: float) -> str:
    return "\n".join(textwrap.wrap(text, max(20, int(inches * 11))))
