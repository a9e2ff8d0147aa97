"""How often DRACO's codes decode wrongly, how exactly, and how long they take beside the geometric median.

    python -m benchmarks.draco [d] [--cases 10000] [--codes 7]

Correctness: `--cases` random steps of 100 columns per code, half with gradients that are alike; 0 to s
workers anywhere reverse their rows, send a constant or noise. Wrong: another sum (relative error above 1e-5),
an honest worker named, or no decoding. Unnamed: the sum is right, but of an adversary's row the projection
fell below the code's resolution. Conditioning: max|W| and the resolution of the cyclic code as n and s
grow, by the precision of what is sent, up to where it refuses. Time: the least of some repetitions at d
columns (default 100,000), s adversaries; encode is one worker's. Printed, and written to benchmarks/results/
as Markdown and JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from benchmarks import machine
from btard.aggregators import GeometricMedian
from btard.coding import CyclicCode, Decoded, RepetitionCode, Undecodable
from btard.errors import ConfigurationError

CODES: tuple[CyclicCode | RepetitionCode, ...] = (
    CyclicCode(7, 2),
    CyclicCode(9, 1),
    CyclicCode(15, 3),
    CyclicCode(15, 3, rows_dtype=torch.complex64),
    CyclicCode(45, 5),
    RepetitionCode(9, 1),
    RepetitionCode(15, 2),
)

SIZES = ((7, 2), (9, 1), (15, 3), (15, 5), (21, 4), (31, 3), (31, 6), (45, 5), (63, 4), (63, 8), (127, 3))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One code's cases (wrong; right with somebody unnamed; the largest relative error) and least seconds."""

    code: str
    cases: int
    wrong: int
    unnamed: int
    error: float
    encode_s: float
    decode_s: float
    geometric_median_s: float


def step(
    code: CyclicCode | RepetitionCode, d: int, case: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Gradients (n, d), the rows that arrive, and which workers were adversarial."""
    gradients = torch.randn(code.n, d, generator=generator)
    if case % 2:
        gradients = gradients[0] + 0.1 * gradients
    rows = torch.stack([code.encode(i, gradients[code.assignment[i]]) for i in range(code.n)])
    count = code.s - case // 6 % (code.s + 1)
    bad = torch.randperm(code.n, generator=generator)[:count]
    noise = torch.randn(count, d, generator=generator, dtype=rows.dtype)
    rows[bad] = (-100.0 * rows[bad], torch.full_like(noise, -100.0), 100.0 * noise)[case % 3]
    return gradients, rows, tuple(sorted(bad.tolist()))


def seconds(call: Callable[[], object], repetitions: int) -> float:
    """The least of some repetitions."""
    times = []
    for _ in range(repetitions):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)


def measure(code: CyclicCode | RepetitionCode, d: int, cases: int, repetitions: int) -> Outcome:
    """Counts wrong decodes over random cases, then times one step of d columns."""
    generator = torch.Generator().manual_seed(0)
    wrong, unnamed, error = 0, 0, 0.0
    for case in range(cases):
        gradients, rows, bad = step(code, 100, case, generator)
        exact = gradients.double().sum(0)
        try:
            decoded = decode(code, rows, case.to_bytes(8, "little"))
        except Undecodable:
            wrong += 1
            continue
        apart = float((decoded.sum.double() - exact).norm() / exact.norm())
        is_wrong = apart > 1e-5 or not set(decoded.adversarial) <= set(bad)
        wrong += is_wrong
        unnamed += not is_wrong and decoded.adversarial != bad
        error = max(error, apart)
    gradients, rows, _ = step(code, d, 0, generator)
    own = gradients[code.assignment[0]]
    rule = GeometricMedian(f=code.s)
    return Outcome(
        describe(code),
        cases,
        wrong,
        unnamed,
        error,
        seconds(lambda: code.encode(0, own), repetitions),
        seconds(lambda: code.decode(rows), repetitions),
        seconds(lambda: rule(gradients), repetitions),
    )


def decode(code: CyclicCode | RepetitionCode, rows: Tensor, seed: bytes) -> Decoded:
    """Decodes; only the cyclic code has a use for the seed."""
    return code.decode(rows, seed) if isinstance(code, CyclicCode) else code.decode(rows)


def describe(code: CyclicCode | RepetitionCode) -> str:
    """The code's name, size and what it sends."""
    sends = str(code.rows_dtype).removeprefix("torch.") if isinstance(code, CyclicCode) else "float32"
    return f"{type(code).__name__}({code.n}, {code.s}), {sends}"


def table(d: int, where: str, outcomes: list[Outcome]) -> str:
    """The report as Markdown."""
    lines = [
        f"# DRACO's codes, float32 gradients, times at d = {d}",
        "",
        where,
        "",
        "| code | cases | wrong | unnamed | largest error | encode, ms | decode, ms | geometric median, ms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {o.code} | {o.cases} | {o.wrong} | {o.unnamed} | {o.error:.1e} | {1e3 * o.encode_s:.1f}"
        f" | {1e3 * o.decode_s:.1f} | {1e3 * o.geometric_median_s:.1f} |"
        for o in outcomes
    ]
    return "\n".join(lines) + "\n"


def conditioning() -> list[dict[str, int | float | str | None]]:
    """For each size of the cyclic code: max|W| and the resolutions, None if the code refuses."""
    found: list[dict[str, int | float | str | None]] = []
    for n, s in SIZES:
        line: dict[str, int | float | str | None] = {"n": n, "s": s, "max_weight": None}
        for dtype in (torch.complex64, torch.complex128):
            name = str(dtype).removeprefix("torch.")
            try:
                code = CyclicCode(n, s, rows_dtype=dtype)
            except ConfigurationError:
                line[name] = None
                continue
            line["max_weight"] = code.conditioning
            line[name] = code.resolution
        found.append(line)
    return found


def conditioning_table(lines: list[dict[str, int | float | str | None]]) -> str:
    """The conditioning as Markdown."""

    def number(value: int | float | str | None) -> str:
        return "refused" if value is None else f"{value:.1e}"

    head = [
        "",
        "The least error, as a part of the largest row's norm, for which a worker is named:",
        "",
        "| n | s | max abs(W) | complex64 | complex128 |",
        "|---:|---:|---:|---:|---:|",
    ]
    rows = [
        f"| {line['n']} | {line['s']} | {number(line['max_weight'])} | {number(line['complex64'])}"
        f" | {number(line['complex128'])} |"
        for line in lines
    ]
    return "\n".join(head + rows) + "\n"


def main() -> None:
    """Measures all codes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("d", type=int, nargs="?", default=100_000, help="columns when timing")
    parser.add_argument("--cases", type=int, default=10_000, help="random steps per code")
    parser.add_argument("--codes", type=int, default=len(CODES), help="only the first so many codes")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    where = f"{machine.in_words(machine.describe())}; least of {options.repetitions} repetitions."
    outcomes = [
        measure(code, options.d, options.cases, options.repetitions) for code in CODES[: options.codes]
    ]
    conditions = conditioning()
    text = table(options.d, where, outcomes) + conditioning_table(conditions)
    fields = [{name: getattr(o, name) for name in Outcome.__slots__} for o in outcomes]
    report = {"d": options.d, "where": where, "results": fields, "conditioning": conditions}
    machine.keep("draco", report, text)


if __name__ == "__main__":
    main()
