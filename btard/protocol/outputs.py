"""Outputs of a peer's machine: what its driver writes down and reports."""

from __future__ import annotations

from dataclasses import dataclass

from btard.machine import Output
from btard.protocol.record import Entry
from btard.protocol.state import RosterState
from btard.types import Digest

FINISHED = "finished"
"""The reason of a run that went through all its steps."""


@dataclass(frozen=True, slots=True)
class Recorded(Output):
    """An attempt ended; `entry` goes into the ledger, `state` is what follows from it."""

    entry: Entry
    state: RosterState


@dataclass(frozen=True, slots=True)
class Ended(Output):
    """The run is over for this peer; `reason` says why, for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Diverged(Output):
    """This peer's model after `step` is not the one that the swarm made final (record `final`)."""

    step: int
    final: Digest
