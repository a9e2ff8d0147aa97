"""The figure of a run: its metrics over steps, attackers and their bans marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from btard.console.metrics import is_share, metric
from btard.protocol.record import BAN, STEP
from btard.run.events import AttemptEnded
from btard.swarm.summary import Exit, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, RED, GREY, LIGHT = "#2a6fbb", "#d9822b", "#c23030", "#8a8a8a", "#d0d0d0"

PANELS_MAX = 4
"""Metrics that get a panel of their own, all shares together counting as one."""

Curve = Sequence[tuple[int, float]]
"""(steps made, value), rising."""


def draw_run(summary: Summary, records: Sequence[AttemptEnded], path: Path) -> Path:
    """Write the figure as PNG. Raises ImportError without matplotlib (extra `figures`), or OSError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = panels_of(records)
    figure = Figure(figsize=(9, 2.6 + 1.8 * max(2, len(panels))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels) + 1, 1, sharex=True, height_ratios=(*(2 for _ in panels), 1.6))
    plan = summary.spec.plan
    for panel, curves, colour in zip(axes, panels, (BLUE, ORANGE, BLUE, ORANGE), strict=False):
        _draw_metrics(panel, curves, colour)
        for each in summary.exits:
            panel.axvline(each.step, color=_colour(each), lw=0.9, ls=":")
    final = "".join(f", {metric(*each)}" for each in list(summary.metrics.items())[:2])
    attackers = f", {len(summary.spec.byzantine)} of them Byzantine" if summary.spec.byzantine else ""
    axes[0].set_title(f"{plan.task}: {plan.peers} peers{attackers}{final}", loc="left")
    seats = axes[-1]
    _draw_seats(seats, summary)
    seats.set_xlabel("step")
    seats.set_xlim(0, max(1, plan.steps))
    figure.savefig(path, dpi=130)
    return path


def panels_of(records: Sequence[AttemptEnded]) -> list[dict[str, Curve]]:
    """Return the curves of each panel by name: one panel at least, all shares in one, both losses in one."""
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for record in records:
        for name, value in record.metrics.items():
            panel = panels.setdefault("%" if is_share(name) else name, {})
            panel.setdefault(name, []).append((record.step + 1, value))
        if record.training_loss is not None and record.kind == STEP:
            panel = panels.setdefault("loss", {})
            panel.setdefault("training loss", []).append((record.step + 1, record.training_loss))
    return [dict(curves) for curves in list(panels.values())[:PANELS_MAX]] or [{}]


def _draw_metrics(axes: Axes, curves: Mapping[str, Curve], colour: str) -> None:
    shares = bool(curves) and all(map(is_share, curves))
    for k, (name, curve) in enumerate(curves.items()):
        steps, values = [step for step, _ in curve], [100 * v if shares else v for _, v in curve]
        axes.plot(steps, values, color=colour, lw=1.5, ls=("-", "--", ":", "-.")[k % 4], label=name)
    if shares:
        axes.set_ylim(0, 102)
    axes.set_ylabel(", ".join(curves) + (", %" if shares else ""), color=colour)
    axes.grid(alpha=0.25)
    if len(curves) > 1:
        axes.legend(fontsize=8, frameon=False)


def _colour(lost: Exit) -> str:
    return RED if lost.kind == BAN else GREY


def _draw_seats(axes: Axes, summary: Summary) -> None:
    """Draw a line for each adversary and each honest peer that lost its seat: from the start to its exit."""
    from matplotlib.lines import Line2D

    last = summary.spec.plan.steps
    exits = {each.name: each for each in summary.exits}
    ends = dict.fromkeys(summary.seated_adversaries, last) | {each.name: each.step for each in summary.exits}
    names = sorted(ends, key=lambda name: (ends[name], name))
    for row, name in enumerate(names):
        end = ends[name]
        begin = min(end, summary.spec.attack_start)
        axes.plot([0, begin], [row, row], color=LIGHT, lw=3, solid_capstyle="butt")
        axes.plot([begin, end], [row, row], color=RED, lw=3, solid_capstyle="butt")
        if name in exits:
            lost = exits[name]
            left = end < 0.6 * last
            axes.plot([end], [row], marker="X", ms=8, color=_colour(lost))
            axes.annotate(
                f"  {'banned' if lost.kind == BAN else 'left'}: {lost.reason}  (step {end})",
                (end, row),
                xytext=(6, 0) if left else (-6, 7),
                textcoords="offset points",
                ha="left" if left else "right",
                va="center",
                fontsize=8,
            )
    if summary.spec.byzantine:
        kinds = [Line2D([], [], color=LIGHT, lw=3), Line2D([], [], color=RED, lw=3)]
        axes.legend(kinds, ["behaves", "attacks"], loc="lower right", fontsize=8, frameon=False)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(-0.7, max(0.7, len(names) - 0.3))
    axes.grid(axis="x", alpha=0.25)
    if not names:
        axes.text(0.5, 0.5, "every peer kept its seat", transform=axes.transAxes, ha="center", va="center")
