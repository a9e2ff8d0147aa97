"""The figure of a run: accuracy and loss over steps, attackers and their bans marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from btard.protocol.record import BAN
from btard.run.events import AttemptEnded
from btard.swarm.summary import Exit, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, RED, GREY, LIGHT = "#2a6fbb", "#d9822b", "#c23030", "#8a8a8a", "#d0d0d0"


def draw_run(summary: Summary, records: Sequence[AttemptEnded], path: Path) -> Path:
    """Write the figure as PNG. Raises ImportError without matplotlib (extra `figures`), or OSError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.2), layout="constrained")
    FigureCanvasAgg(figure)
    top, seats = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.6))
    plan = summary.spec.plan
    evaluated = [(r.step + 1, r.accuracy, r.loss) for r in records if r.accuracy is not None]
    steps = [step for step, _, _ in evaluated]
    top.plot(steps, [100 * accuracy for _, accuracy, _ in evaluated], color=BLUE, lw=1.8)
    top.set_ylabel("test accuracy, %", color=BLUE)
    top.set_ylim(0, 102)
    top.grid(alpha=0.25)
    right = top.twinx()
    right.plot(steps, [loss for _, _, loss in evaluated], color=ORANGE, lw=1.2)
    right.set_ylabel("test loss", color=ORANGE)
    right.set_ylim(bottom=0)
    final = "" if summary.final_accuracy is None else f", {summary.final_accuracy:.1%} at the end"
    attackers = f", {len(summary.spec.byzantine)} of them Byzantine" if summary.spec.byzantine else ""
    top.set_title(f"{plan.task}: {plan.peers} peers{attackers}{final}", loc="left")
    _draw_seats(seats, summary)
    for each in summary.exits:
        top.axvline(each.step, color=_colour(each), lw=0.9, ls=":")
    seats.set_xlabel("step")
    seats.set_xlim(0, max(1, plan.steps))
    figure.savefig(path, dpi=130)
    return path


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
