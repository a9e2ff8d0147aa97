"""Half a cosine, from 1 to 0, by a polynomial: no mathematical library has a say in it."""

from __future__ import annotations

# (-1)^k (pi/2)^(2k+1) / (2k+1)! for k = 0 to 9, as float64: the series of sin(pi x / 2).
_SINE = tuple(
    map(
        float.fromhex,
        (
            "0x1.921fb54442d18p+0",
            "-0x1.4abbce625be53p-1",
            "0x1.466bc6775aae2p-4",
            "-0x1.32d2cce62bd86p-8",
            "0x1.50783487ee782p-13",
            "-0x1.e3074fde8871fp-19",
            "0x1.e8f434d018d63p-25",
            "-0x1.6fadb9f155744p-31",
            "0x1.aaec32af93359p-38",
            "-0x1.8a404211f9547p-45",
        ),
    )
)


def half_cosine(share: float) -> float:
    """Return (1 + cos(pi share)) / 2 in float64, `share` in [0, 1]: within 2^-51 of it.

    It is 1 - sin^2(pi share / 2) for a share up to 1/2, and sin^2(pi (1 - share) / 2) above. The sine is its
    series up to the 19th power, by Horner's scheme in the square of the argument."""
    if share <= 0.5:
        return 1.0 - _sine(share) * _sine(share)
    return _sine(1.0 - share) * _sine(1.0 - share)


def _sine(share: float) -> float:
    """Return sin(pi share / 2), `share` in [0, 1/2]."""
    square = share * share
    total = _SINE[-1]
    for coefficient in reversed(_SINE[:-1]):
        total = total * square + coefficient
    return total * share
