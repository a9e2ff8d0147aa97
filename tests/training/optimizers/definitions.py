"""protocols/update.md, literally: one Python number at a time, float32 operations rounded by C's own cast.

A sum, product, quotient or square root of float32 numbers in float64, rounded to float32, is the float32
operation: float64 has more than twice the digits (Figueroa 1995).
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence

from btard.training.optimizers import LAMB, SGD, AdamW, RestartedSGD

Numbers = list[float]


def f(number: float) -> float:
    """Round to float32."""
    return float(ctypes.c_float(number).value)


def power(base: float, exponent: int) -> float:
    result = 1.0
    for position in reversed(range(exponent.bit_length())):
        result = result * result
        if exponent >> position & 1:
            result = result * base
    return result


def norm(numbers: Sequence[float]) -> float:
    lanes = [0.0] * 1024
    for start in range(0, len(numbers), 32768):
        sums = [number * number for number in numbers[start : start + 32768]]
        sums += [0.0] * (32768 - len(sums))
        sums = fold(sums, 1024)
        lanes = [lane + each for lane, each in zip(lanes, sums, strict=True)]
    return math.sqrt(fold(lanes, 1)[0])


def fold(sums: Numbers, width: int) -> Numbers:
    while len(sums) > width:
        half = len(sums) // 2
        sums = [sums[i] + sums[i + half] for i in range(half)]
    return sums


def clipped(gradient: Numbers, limit: float | None) -> Numbers:
    if limit is None or (size := norm(gradient)) <= limit:
        return gradient
    return [f(f(limit / size) * each) for each in gradient]


def sgd(o: SGD, count: int, decay: float, p: Numbers, g: Numbers, slots: list[Numbers]) -> list[Numbers]:
    rate, mu = f(o.learning_rate * o.schedule.factor(count)), f(o.momentum)
    after: list[Numbers] = [[], []]
    for i, (x, h) in enumerate(zip(p, g, strict=True)):
        if decay:
            h = f(f(f(decay) * x) + h)
        d = h
        if o.momentum:
            b = f(f(mu * slots[0][i]) + h)
            after[1].append(b)
            d = f(f(mu * b) + h) if o.nesterov else b
        after[0].append(f(x - f(rate * d)))
    return after if o.momentum else after[:1]


def restarted(
    o: RestartedSGD, count: int, decay: float, p: Numbers, g: Numbers, slots: list[Numbers]
) -> list[Numbers]:
    stage, k = 0, count
    while stage < len(o.stages) - 1 and k >= o.stages[stage][0]:
        k -= o.stages[stage][0]
        stage += 1
    length, factor = o.stages[stage]
    average = slots[0]
    if k == 0:
        average = p
    elif k < length:
        average = [f(a + f(f(1 / (k + 1)) * f(x - a))) for x, a in zip(p, average, strict=True)]
    if k == length - 1:
        return [average, average]
    rate = f(o.learning_rate * o.schedule.factor(count) * factor)
    d = [f(f(f(decay) * x) + h) if decay else h for x, h in zip(p, g, strict=True)]
    return [[f(x - f(rate * each)) for x, each in zip(p, d, strict=True)], average]


def averages(o: AdamW | LAMB, g: Numbers, slots: list[Numbers]) -> tuple[Numbers, Numbers]:
    m = [f(f(f(o.beta1) * a) + f(f(1 - o.beta1) * x)) for a, x in zip(slots[0], g, strict=True)]
    v = [f(f(f(o.beta2) * a) + f(f(1 - o.beta2) * f(x * x))) for a, x in zip(slots[1], g, strict=True)]
    return m, v


def bottom(o: AdamW | LAMB, count: int, v: Numbers) -> Numbers:
    root = f(1 / math.sqrt(1 - power(o.beta2, count + 1)))
    return [f(f(root * f(math.sqrt(each))) + f(o.eps)) for each in v]


def adamw(o: AdamW, count: int, decay: float, p: Numbers, g: Numbers, slots: list[Numbers]) -> list[Numbers]:
    m, v = averages(o, g, slots)
    eta = o.learning_rate * o.schedule.factor(count)
    rate = f(eta * (1 / (1 - power(o.beta1, count + 1))))
    kept = f(1 - eta * decay)
    under = bottom(o, count, v)
    steps = [f(rate * f(a / b)) for a, b in zip(m, under, strict=True)]
    return [[f(f(kept * x) - step) for x, step in zip(p, steps, strict=True)], m, v]


def lamb(o: LAMB, count: int, decay: float, p: Numbers, g: Numbers, slots: list[Numbers]) -> list[Numbers]:
    m, v = averages(o, g, slots)
    first = f(1 / (1 - power(o.beta1, count + 1)))
    u = [f(f(first * a) / b) for a, b in zip(m, bottom(o, count, v), strict=True)]
    if decay:
        u = [f(a + f(f(decay) * x)) for a, x in zip(u, p, strict=True)]
    size, size_of_step = norm(p), norm(u)
    ratio = 1.0 if size == 0 or size_of_step == 0 else min(size, o.norm_max) / size_of_step
    rate = f(o.learning_rate * o.schedule.factor(count) * ratio)
    return [[f(x - f(rate * each)) for x, each in zip(p, u, strict=True)], m, v]


DEFINITIONS: dict[type, Callable[..., list[Numbers]]] = {
    SGD: sgd,
    AdamW: adamw,
    LAMB: lamb,
    RestartedSGD: restarted,
}
