"""What may break in a simulated swarm, as values that a scenario lists.

Peers are named by their index in the scenario. The protocol promises nothing to more faulty peers than the
largest minority, so crashed and slow peers count with the Byzantine ones; broken links do not count.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weather:
    """Delays of a control message between honest peers: around `typical_s`; with chance `loss` it is lost and
    retransmitted, and then takes up to `worst_s`, which must leave some of the protocol's delta_s for uplinks
    and processors, and half of it to the way around a broken link. Without
    `ordered` a pair's messages may overtake each other. A blob takes up to `blob_s`.

    Messages of a Byzantine peer are late (by up to `byzantine_late_s`) with chance `byzantine_late`. With
    chance `forged` a Byzantine peer that hears a message of another one sends somebody an altered copy of it,
    in the name of its author, whose signature then does not hold."""

    typical_s: float = 0.05
    worst_s: float = 0.9
    loss: float = 0.02
    ordered: bool = True
    blob_s: float = 2.0
    byzantine_late: float = 0.0
    byzantine_late_s: float = 40.0
    forged: float = 0.0


@dataclass(frozen=True, slots=True)
class Uplink:
    """What a peer can send in a second, of control messages and of blobs.

    Two rates, since the real transport has a connection of each kind to each peer, first in, first out
    (`network/grpc_link.py`, `network/outbox.py`): control does not wait behind blobs. And a toy model's blobs
    stand for those of a model a million times larger, which no common rate would do justice to."""

    control_bytes_s: float
    blob_bytes_s: float


@dataclass(frozen=True, slots=True)
class Crash:
    """The peer stops for good in `phase` of `step`, after it has handled `events` more. Its last
    messages reach only the fraction `heard` of their recipients."""

    peer: int
    step: int
    phase: str
    events: int = 0
    heard: float = 1.0


@dataclass(frozen=True, slots=True)
class Slow:
    """Every effect of `peer` that starts while it is in `step` takes `effect_s` instead of the usual time."""

    peer: int
    step: int
    effect_s: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Between two times nothing arrives of what `one` and `other` send each other, or, if `one_way`, of what
    `one` sends `other`: no message if `control`, no blob if `blobs`."""

    one: int
    other: int
    start_s: float
    end_s: float
    control: bool = True
    blobs: bool = True
    one_way: bool = False

    @property
    def ways(self) -> tuple[tuple[int, int], ...]:
        """The (sender, receiver) pairs that it keeps apart."""
        there, back = (self.one, self.other), (self.other, self.one)
        return (there,) if self.one_way else (there, back)
