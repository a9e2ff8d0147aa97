"""Outputs of a peer's machine: what its driver writes down and reports."""

from __future__ import annotations

from dataclasses import dataclass

from btard.protocol.record import Entry
from btard.protocol.state import RosterState
from btard.types import Digest

FINISHED = "finished"
"""Why a run ended that went through all its steps."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Output: an attempt ended; `entry` goes into the ledger, `state` is what follows from it."""

    entry: Entry
    state: RosterState


@dataclass(frozen=True, slots=True)
class Ended:
    """Output: the run is over for this peer; `reason` says why, for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Diverged:
    """Output: this peer's model after `step` isn't the one that the swarm made final (record `final`)."""

    step: int
    final: Digest
