"""The constants that all peers of a run must share: they are part of the run id."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from btard.errors import ConfigurationError
from btard.wire import MAX_PEERS, MAX_PROJECTIONS

TAU_MIN, TAU_MAX = 1e-18, 1e40
"""Within these, no tolerance of `tolerance.py` depends on its absolute floor, or on the range of float64, in
whatever number of parts."""

EPSILON_MIN, EPSILON_MAX = 1e-7, 5e-2
"""Below, float32 itself differs by more; above, forgeries of half a gradient's length pass, with four
directions (protocols/fingerprint.md, 7)."""


@dataclass(frozen=True, slots=True)
class ProtocolConfig:
    """Protocol constants of a run.

    `tau` (1e-18 to 1e40) is the clipping radius of CenteredClip, `delta_max` the norm |g_i - v| above which a
    contributor's report counts as suspicious (Verification 2; the paper publishes no value:
    `btard/protocol/verification.py` says how to choose it). Both are of the whole gradient, in its unit: of
    m parts, which are alike, each has the m-th share of their squares (`part_tau`, `part_delta_max`).
    `btard measure-norms` measures and suggests them.

    `validators` is the number of disjoint (validator, target) pairs drawn each step, `directions` the number
    of projections a part, `examiners` the number of peers that examine a suspicious part. `epsilon` (1e-7
    to 5e-2) bounds the difference of two honest gradients of one (model, seed) on unlike hardware, in units
    of the gradient's norm. It depends on the network and its precision: a task names a profile of
    `btard/training/tolerances.py`, and `btard measure-tolerance` measures. The default is for smooth
    activations in float32, without TF32. `delta_s` bounds the delay of a control message between two honest
    peers, retransmissions included; `phase_s` bounds the work and transfers of one phase,
    `gradient_s` those of the first, in which the gradient is computed. The fast path goes on as soon as
    everybody has spoken, and deadlines follow what phases usually take (`pace.py`), within these bounds. A
    peer that takes more than `patience` times as long as most is charged with the difference.
    `strikes` misses within `strike_window` steps end a seat, without a ban, and complaints count towards
    them (`state.RosterState.account`). `kind` names the protocol in a run's description.
    """

    tau: float = 1.0
    delta_max: float = 10.0
    validators: int = 1
    directions: int = 4
    examiners: int = 3
    epsilon: float = 1e-4
    delta_s: float = 1.0
    phase_s: float = 20.0
    gradient_s: float = 60.0
    patience: float = 1.25
    strikes: int = 3
    strike_window: int = 512
    kind: Literal["btard"] = "btard"

    def __post_init__(self) -> None:
        positive = (
            *("tau", "delta_max", "directions", "delta_s", "phase_s", "gradient_s", "patience"),
            *("strikes", "strike_window"),
        )
        for name in positive:
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigurationError(f"{name} must be positive and finite, not {getattr(self, name)}")
        if not TAU_MIN <= self.tau <= TAU_MAX:
            raise ConfigurationError(f"tau is {self.tau}: use {TAU_MIN} to {TAU_MAX}")
        if not 1 <= self.examiners <= MAX_PEERS:
            raise ConfigurationError(f"examiners is {self.examiners}: use 1 to {MAX_PEERS}")
        if not EPSILON_MIN <= self.epsilon <= EPSILON_MAX:
            raise ConfigurationError(f"epsilon is {self.epsilon}: use {EPSILON_MIN} to {EPSILON_MAX}")
        if self.directions > MAX_PROJECTIONS:
            raise ConfigurationError(f"{self.directions} directions: use at most {MAX_PROJECTIONS}")
        if not self.patience > 1:
            raise ConfigurationError(f"patience is {self.patience}: use more than 1")
        if self.validators < 0:
            raise ConfigurationError("validators must not be negative")

    def part_tau(self, parts: int) -> float:
        """Return the clipping radius of one of so many parts: two roundings, the same bits for every peer."""
        return self.tau / math.sqrt(parts)

    def part_delta_max(self, parts: int) -> float:
        """Return the Delta_max of one of so many parts."""
        return self.delta_max / math.sqrt(parts)


ASK_SHARE = 0.25
"""Share of a phase's time after which a peer asks all others for the messages and blobs that it lacks. What
came to one honest peer then comes to all, so they enter the next phase about this share apart at most, even
where a Byzantine author sends it to one of them alone; the rest is left for work and transfers."""

SLACK_ROUNDS = 3
"""From the soft to the hard deadline of a phase, in delta: a request, its answer, the skew of peers."""


def tolerated(peers: int) -> int:
    """The largest minority of `peers`: how many of them may be Byzantine."""
    return (peers - 1) // 2
