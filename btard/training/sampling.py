"""Random numbers from a public seed by exactly rounded operations: the same bytes on every platform.

The normal law is Wichura's algorithm AS 241 (1988), PPND16, with a logarithm of its own: numpy's additions,
multiplications, divisions and square roots of float64, each rounded once. protocols/update.md has the
constants.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from btard.crypto import keystream
from btard.training.optimizers.arithmetic import BLOCK, Doubles

TRUNCATION = 2.0
"""Standard deviations at which a truncated normal law ends, on each side."""

_TAIL = 0.022750131948179207
"""The standard normal law's probability below -TRUNCATION."""


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split()))


_CENTRE = (
    _numbers(
        "3.3871328727963665 133.14166789178438 1971.5909503065513 13731.69376550946 "
        "45921.95393154987 67265.7709270087 33430.57558358813 2509.0809287301227"
    ),
    _numbers(
        "1.0 42.31333070160091 687.1870074920579 5394.196021424751 21213.794301586597 "
        "39307.89580009271 28729.085735721943 5226.495278852854"
    ),
)
_MIDDLE = (
    _numbers(
        "1.4234371107496835 4.630337846156546 5.769497221460691 3.6478483247632045 "
        "1.2704582524523684 0.2417807251774506 0.022723844989269184 0.0007745450142783414"
    ),
    _numbers(
        "1.0 2.053191626637759 1.6763848301838038 0.6897673349851 0.14810397642748008 "
        "0.015198666563616457 0.0005475938084995345 1.0507500716444169e-09"
    ),
)
_FAR = (
    _numbers(
        "6.657904643501103 5.463784911164114 1.7848265399172913 0.29656057182850487 "
        "0.026532189526576124 0.0012426609473880784 2.7115555687434876e-05 2.0103343992922881e-07"
    ),
    _numbers(
        "1.0 0.599832206555888 0.1369298809227358 0.014875361290850615 0.0007868691311456133 "
        "1.8463183175100548e-05 1.421511758316446e-07 2.0442631033899397e-15"
    ),
)
"""Numerators and denominators of AS 241, the coefficient of the lowest power first."""

_LOG_TERMS = 18
_LOG_2 = float.fromhex("0x1.62e42fefa39efp-1")


def uniform(seed: bytes, domain: str, count: int) -> Tensor:
    """Return `count` float32 in [-1, 1), multiples of 2^-23, from the keystream of (seed, domain)."""
    words = np.frombuffer(keystream(seed, domain, 4 * count), dtype="<u4")
    return torch.from_numpy((words >> 8).astype(np.float32)) / 2**23 - 1


def normal(seed: bytes, domain: str, count: int, std: float, truncated: bool = False) -> Tensor:
    """Return `count` float32 of a normal law of mean 0, from the keystream of (seed, domain).

    Number i is std times the quantile of (w + 1/2) / 2^32, w the keystream's i-th 32-bit word, little-endian.
    `truncated`: of the law between -2 and 2 times std, by the same share of its probability."""
    words = np.frombuffer(keystream(seed, domain, 4 * count), dtype="<u4")
    result = np.empty(count, np.float32)
    for start in range(0, count, BLOCK):
        share = (words[start : start + BLOCK].astype(np.float64) + 0.5) * 2.0**-32
        if truncated:
            share = share * (1.0 - 2.0 * _TAIL) + _TAIL
        result[start : start + BLOCK] = quantile(share) * std
    return torch.from_numpy(result)


def quantile(share: Doubles) -> Doubles:
    """Return where the standard normal law has a `share`, in (0, 1), of its probability below."""
    from_half = share - 0.5
    result: Doubles = np.empty_like(share)
    central = np.abs(from_half) <= 0.425
    q = from_half[central]
    result[central] = q * _ratio(_CENTRE, 0.180625 - q * q)
    outer = ~central
    smaller = np.minimum(share[outer], 1.0 - share[outer])
    root = np.sqrt(-logarithm(smaller))
    distance = np.where(root <= 5.0, _ratio(_MIDDLE, root - 1.6), _ratio(_FAR, root - 5.0))
    result[outer] = np.where(from_half[outer] < 0, -distance, distance)
    return result


def logarithm(values: Doubles) -> Doubles:
    """Return the natural logarithm of values m 2^e in (0, 1), m in [1/2, 1), the same bytes on every
    platform: 2 artanh((m - 1) / (m + 1)) + e log 2."""
    mantissa, exponent = np.frexp(values)
    argument = (mantissa - 1.0) / (mantissa + 1.0)
    square = argument * argument
    total = np.full_like(values, 1.0 / (2 * _LOG_TERMS + 1))
    for term in reversed(range(_LOG_TERMS)):
        total = total * square + 1.0 / (2 * term + 1)
    logarithm: Doubles = 2.0 * argument * total + exponent * _LOG_2
    return logarithm


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], argument: Doubles) -> Doubles:
    """Return the quotient of two polynomials, by Horner's scheme."""
    above, below = (np.full_like(argument, each[-1]) for each in coefficients)
    for numerator, denominator in zip(*(reversed(each[:-1]) for each in coefficients), strict=True):
        above = above * argument + numerator
        below = below * argument + denominator
    return above / below
