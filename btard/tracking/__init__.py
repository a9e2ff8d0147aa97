"""Curves of a run in TensorBoard and in Weights & Biases, made from its events and from nothing else.

    with Tracking(emit, make_trackers(["tensorboard"], Path("runs/mine"))) as emit:
        await run_peer(options, emit=emit)

A tracker works on a thread of its own behind a bounded queue: a slow one loses events, a broken one ends, and
training goes on. Both are said once, as `Noted`.
"""

from __future__ import annotations

from btard.tracking.naming import make_trackers
from btard.tracking.points import Point, Points
from btard.tracking.tracker import Tracker, Writer
from btard.tracking.tracking import Tracking

__all__ = ["Point", "Points", "Tracker", "Tracking", "Writer", "make_trackers"]
