"""Tolerance profiles: how far honest gradients of one (model, seed) may lie apart, by network and precision.

The network and its arithmetic decide it, so a recipe names the profile; a run's constants have its numbers.
protocols/fingerprint.md has the measurements behind them, the forgeries that each lets pass, and what those
gain.
"""

from __future__ import annotations

from dataclasses import dataclass

from btard.errors import ConfigurationError

MARGIN = 4.0
"""A profile fits differences so many times smaller than its epsilon: nobody measures all hardware."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A profile. `epsilon` bounds |g - g'| / |g| between honest peers; `directions` is the least number K of
    projections a part with which it should be used; `meaning` says for what."""

    name: str
    epsilon: float
    directions: int
    meaning: str


TOLERANCES = {
    each.name: each
    for each in (
        Tolerance("smooth", 1e-4, 4, "float32, smooth activations (GELU, SiLU, tanh); any hardware"),
        Tolerance("kinked", 8e-3, 16, "float32, ReLU or max-pooling; any hardware"),
        Tolerance("fp16", 1e-2, 16, "float16 autocast; any hardware"),
        Tolerance("bf16", 5e-2, 16, "bfloat16 autocast; any hardware"),
    )
}
"""By name, the tightest first."""


def tolerance(name: str) -> Tolerance:
    """Return the profile of this name. Raises ConfigurationError if there is none."""
    if name not in TOLERANCES:
        raise ConfigurationError(f"tolerance is {name!r}: use one of {', '.join(TOLERANCES)}")
    return TOLERANCES[name]


def fitting(difference: float) -> Tolerance | None:
    """Return the tightest profile that fits a greatest measured |g - g'| / |g|; None if none does."""
    return next((each for each in TOLERANCES.values() if MARGIN * difference <= each.epsilon), None)
