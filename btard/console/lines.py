"""The lines of a run's progress, each of at most 80 columns if names are short."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from btard.console.metrics import number
from btard.run.events import AttemptEnded, InPhase, Stalled

NAMED_MAX = 4
"""Peers that a line names; it counts the others."""

AWAITED_MAX = 2
"""Peers that the line of a phase names before it only counts them: at first, everybody is awaited."""

WORK = {
    "gradient": "computing",
    "aggregate": "aggregating",
    "project": "projecting",
    "project_rows": "projecting rows",
    "recompute": "recomputing",
    "fingerprint": "recomputing",
    "update": "updating",
    "adopt": "updating",
    "evaluate": "evaluating",
}
"""What people call each kind of work while it lasts."""

Name = Callable[[str], str]


def duration(seconds: float) -> str:
    """Return a time in hours, minutes and seconds, or in days and hours."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{hours // 24} d {hours % 24} h"


def rate(step_s: float) -> str:
    """Return steps a second, or seconds a step if that is the larger number."""
    if 0 < step_s < 1:
        return f"{1 / step_s:.1f} steps/s"
    return f"{step_s:.1f} s/step"


def phase_line(event: InPhase, name: Name, peers: int) -> str:
    """Return where this peer is in a step that `peers` take part in: what it computes, whom it waits for."""
    words = [f"{event.phase} {event.waited_s:.0f} s"]
    if event.work is not None:
        share = "" if event.share is None else f" {event.share:.0%}"
        words.append(WORK.get(event.work, "at work") + share)
    if event.in_dispute:
        words.append("in dispute")
    elif 0 < len(event.missing) <= AWAITED_MAX:
        words.append(f"waiting for {', '.join(map(name, event.missing))}")
    elif event.missing:
        words.append(f"waiting for {len(event.missing)} of {peers}")
    return "  ".join(words)


def stall_line(event: Stalled, name: Name) -> str:
    """Return who is waited for too long, and what comes next."""
    names = ", ".join(map(name, event.missing[:NAMED_MAX]))
    more = len(event.missing) - NAMED_MAX
    names += f" and {more} more" if more > 0 else ""
    if not names:
        return f"{event.phase} for {event.waited_s:.0f} s: at work, or settling a dispute"
    them = "it" if len(event.missing) == 1 else "them"
    now = event.dispute_in_s <= 0
    then = "deciding whether to go on" if now else f"the others go on in {event.dispute_in_s:.0f} s"
    return f"waiting {event.waited_s:.0f} s for {names} ({event.phase}); {then} without {them}"


def norms_line(event: AttemptEnded) -> str:
    """Return the own loss and the norms of a step, as far as they are known."""
    words = [] if event.training_loss is None else [f"training loss {number(event.training_loss)}"]
    norms = event.norms
    if norms is not None:
        if norms.gradient is not None and norms.distance is not None:
            words.append(f"|g| {number(norms.gradient)}  |g-v| {number(norms.distance)}")
        words.append(f"tau {number(norms.tau)}  {norms.clipped:.0%} clipped")
    return "  ".join(words)


def delay_line(event: AttemptEnded) -> str:
    """Return which deadlines an attempt ran into and what came of it, "" if it ran into none."""
    words: list[str] = []
    if event.deadlines:
        words.append(f"deadline passed in {_listed(event.deadlines)}")
    if event.disputes:
        took = "" if event.dispute_s is None else f" of {event.dispute_s:.0f} s"
        words.append(f"{event.disputes} {'dispute' if event.disputes == 1 else 'disputes'}{took}")
    return ", ".join(words)


def _listed(phases: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(phases))
