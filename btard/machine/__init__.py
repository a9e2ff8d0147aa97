"""The interface of every protocol machine: `handle(event, now) -> Actions`.

A machine is pure: it has no clock, no entropy, no I/O and no tensors. Time comes in as `now` (seconds, any
origin, never decreasing), randomness as bytes at construction. Heavy work and transfer leave as effects and
come back as `Done` events. Tensors are known by digest only. One driver (`btard.node.driver`) runs the same
machine in the node, in the simulator and in tests.
"""

from __future__ import annotations

from btard.machine.actions import Actions, Machine, Output, Send
from btard.machine.effects import (
    Abandon,
    Adopt,
    Aggregate,
    Aggregated,
    ComputeGradient,
    Effect,
    EffectOf,
    Fingerprint,
    Perform,
    Project,
    ProjectRows,
    PushBlob,
    Recompute,
    Recomputed,
    Update,
)
from btard.machine.events import BlobHeld, Done, Event, Received, TakenUp, Tick

__all__ = [
    "Abandon",
    "Actions",
    "Adopt",
    "Aggregate",
    "Aggregated",
    "BlobHeld",
    "ComputeGradient",
    "Done",
    "Effect",
    "EffectOf",
    "Event",
    "Fingerprint",
    "Machine",
    "Output",
    "Perform",
    "Project",
    "ProjectRows",
    "PushBlob",
    "Received",
    "Recompute",
    "Recomputed",
    "Send",
    "TakenUp",
    "Tick",
    "Update",
]
