"""How long each aggregation rule takes, as a multiple of `rows.mean(0)` of the same tensor in the same run.

    python -m benchmarks.aggregators [--d 1000000 10000000] [--repetitions 15]

Rows are 16 float32 vectors around a common one, three of them at -1000 times it. Each repetition times the
rule, then the mean, so that both see the same machine. Medians decide, and the least times stand beside them:
at d = 10^6 the mean takes 2 or 3.4 ms, as its 4 MB result lies in fresh memory or not, so that its least is a
matter of luck. Memory is the peak of a process of its own, and reads how often all
of the rows were read, both in multiples of the rows.

CenteredClip and the geometric median are also timed on `INPUTS`: copies and zeros once cost a second pass, in
float64. With `--threads 1` times are processor times, on which other work on the machine has little say.

Bars: Krum, Multi-Krum and MDA at most 6 means, the geometric median and CenteredClip at their fixed points at
most 8, NNM's mixed rows at most 20; on `INPUTS` at most 12; median and trimmed mean at least 3 times as fast
as torch.sort(0); CTMA reads the rows at most twice more than its base; memory at most 2. ByzFL's rules are
timed at lengths up to `--byzfl-up-to` if it is installed (benchmarks/README.md).

Printed, and written to benchmarks/results/ as Markdown and JSON; the exit status is 1 if a bar does not
hold.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from time import perf_counter, thread_time

import torch
from torch import Tensor

from benchmarks import byzfl_rules
from benchmarks.machine import describe, in_words, keep, peak_bytes
from benchmarks.reads import times_read
from btard.aggregators import Mean, Nnm, parse

N, F = 16, 3
MEMORY_MAX = 2.05
"""Twice the rows, and a block of columns."""

NNM = "nnm, mixed rows"
SORT = "torch.sort(0)"
RULES = {
    "mean": "mean",
    "median": "median",
    "trimmed_mean": "trimmed_mean",
    "meamed": "meamed",
    "geometric_median": "geometric_median",
    "centered_clip": "centered_clip(tau=1)",
    "krum": "krum",
    "multi_krum": "multi_krum",
    "mda": "mda",
    "bulyan": "bulyan",
    NNM: "",
    "nnm+mean": "nnm+mean",
    "nnm+median": "nnm+median",
    "nnm+krum": "nnm+krum",
    "ctma+mean": "ctma+mean",
    "ctma+median": "ctma+median",
    "ctma+centered_clip": "ctma+centered_clip(tau=1)",
    "nnm+ctma+centered_clip": "nnm+ctma+centered_clip(tau=1)",
    "bucketing+centered_clip": "bucketing(s=2)+centered_clip(tau=1)",
}
MEANS_MAX = {"krum": 6, "multi_krum": 6, "mda": 6, "geometric_median": 8, "centered_clip": 8, NNM: 20}
SORTS_MIN = {"median": 3, "trimmed_mean": 3}
ON_INPUTS = ("centered_clip", "geometric_median")
ON_INPUTS_MEANS_MAX = 12
READS_ABOVE_BASE_MAX = 2
SLACK = 1.2
"""Reads of a row of the 16 more: the reference, or copies to be told from near-copies."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Least and median seconds of a rule, and of the mean in the same repetitions."""

    least_s: float
    median_s: float
    mean_least_s: float
    mean_median_s: float

    @property
    def ratio_least(self) -> float:
        """Least to least."""
        return self.least_s / self.mean_least_s

    @property
    def ratio_median(self) -> float:
        """Median to median."""
        return self.median_s / self.mean_median_s


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table; `memory` and `reads` in multiples of the rows; None: not measured."""

    rule: str
    timing: Timing
    memory: float | None
    reads: float
    byzfl_s: float | None = None
    bar: str = ""
    held: bool | None = None


def attacked_rows(d: int) -> Tensor:
    """16 rows of which 3 are sign-flipped, shape (16, d), made without memory beyond them and one row."""
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(d, generator=generator)
    rows = torch.empty(N, d).normal_(generator=generator).add_(g)
    rows[:F] = g.mul_(-1000)
    return rows


def honest_rows(d: int, noise: float = 1.0) -> Tensor:
    """16 rows around a common one, shape (16, d)."""
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(d, generator=generator)
    return torch.empty(N, d).normal_(generator=generator).mul_(noise).add_(g)


def replaced(d: int, rows: slice, value: Callable[[Tensor], Tensor | float]) -> Tensor:
    """Honest rows, some of them replaced by a value made of them all."""
    honest = honest_rows(d)
    honest[rows] = value(honest)
    return honest


INPUTS: dict[str, Callable[[int], Tensor]] = {
    "7 rows equal to one honest row": lambda d: replaced(d, slice(7), lambda rows: rows[8].clone()),
    "7 rows equal": lambda d: replaced(d, slice(7), lambda rows: rows[0].clone()),
    "all rows equal": lambda d: replaced(d, slice(N), lambda rows: rows[0].clone()),
    "all rows within tau": lambda d: honest_rows(d, 0.1 / d**0.5),
    "one row far away": lambda d: replaced(d, slice(1), lambda rows: -1000 * rows[8]),
    "3 rows of zeros": lambda d: replaced(d, slice(3), lambda rows: 0.0),
}
"""Rows of length d on which `ON_INPUTS` are timed as well."""


def build(name: str) -> Callable[[Tensor], object]:
    """Return the rule of this name in the table."""
    if name == SORT:
        return lambda rows: torch.sort(rows, 0)
    if name == NNM:
        return Nnm(Mean(), f=F).mixed
    return parse(RULES[name], 0 if name == "mean" else F)


def seconds(call: Callable[[Tensor], object], rows: Tensor) -> float:
    clock = thread_time if torch.get_num_threads() == 1 else perf_counter
    start = clock()
    call(rows)
    return clock() - start


def measure(rule: Callable[[Tensor], object], rows: Tensor, repetitions: int) -> Timing:
    """The rule and the mean in turns, once each beforehand."""
    rule(rows)
    pairs = [(seconds(rule, rows), seconds(lambda x: x.mean(0), rows)) for _ in range(repetitions)]
    of_rule, of_mean = zip(*pairs, strict=True)
    return Timing(min(of_rule), statistics.median(of_rule), min(of_mean), statistics.median(of_mean))


def peak_memory(name: str, d: int) -> float:
    """The rule's peak memory in multiples of the rows, of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.aggregators", "--peak-of", name, "--d", str(d)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def own_peak_memory(name: str, d: int) -> float:
    """As `peak_memory`, of this process, which must be a fresh one."""
    rule = build(name)
    # Libraries load what they need when first used; that is no memory of the rule's.
    rule(attacked_rows(1 << 17))
    rows = attacked_rows(d)
    before = peak_bytes()
    rule(rows)
    return 1.0 + (peak_bytes() - before) / (4 * rows.numel())


def judge(results: list[Result], sort_s: float) -> list[Result]:
    """The results with their bars."""
    reads = {result.rule: result.reads for result in results}
    judged = []
    for result in results:
        name, timing = result.rule, result.timing
        bars = [("memory <= 2", result.memory is not None and result.memory <= MEMORY_MAX)]
        if name in MEANS_MAX:
            bars.append((f"<= {MEANS_MAX[name]} means", timing.ratio_median <= MEANS_MAX[name]))
        if name in SORTS_MIN:
            faster = sort_s / timing.median_s
            bars.append(
                (f"sort takes {faster:.1f} >= {SORTS_MIN[name]} times as long", faster >= SORTS_MIN[name])
            )
        if name.startswith("ctma+") and name.removeprefix("ctma+") in reads:
            above = reads[name] - reads[name.removeprefix("ctma+")]
            bars.append((f"reads {above:.1f} <= 2 more than its base", above <= READS_ABOVE_BASE_MAX * SLACK))
        bar = "; ".join(text for text, _ in bars)
        judged.append(replace(result, bar=bar, held=all(held for _, held in bars)))
    return judged


def on_inputs(lengths: list[int], repetitions: int) -> bool:
    """Measures `ON_INPUTS` on each of `INPUTS`; whether the bar holds."""
    results = []
    for d in lengths:
        for what, make in INPUTS.items():
            rows = make(d)
            for name in ON_INPUTS:
                timing = measure(build(name), rows, repetitions)
                held = timing.ratio_median <= ON_INPUTS_MEANS_MAX
                label, bar = f"{name}, d = {d}, {what}", f"<= {ON_INPUTS_MEANS_MAX} means"
                results.append(Result(label, timing, None, times_read(build(name), rows), None, bar, held))
    report(
        "aggregators-inputs",
        f"CenteredClip and the geometric median on rows with copies and outliers, n = {N}, float32",
        repetitions,
        results,
    )
    return all(result.held for result in results)


def report(stem: str, title: str, repetitions: int, results: list[Result]) -> None:
    """Keeps the results as JSON and Markdown."""
    where = describe()
    values = {"repetitions": repetitions, "machine": where, "results": [asdict(result) for result in results]}
    keep(stem, {"title": title, **values}, table(title, repetitions, in_words(where), results))


def table(title: str, repetitions: int, where: str, results: list[Result]) -> str:
    """The report as Markdown."""
    lines = [
        f"# {title}",
        "",
        f"{where}; {repetitions} repetitions. Ratios are to `rows.mean(0)` in the same repetitions.",
        "",
        "| rule | least, ms | ratio | median, ms | ratio | ByzFL, ms | memory | reads | bars | hold |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|---|",
    ]
    for result in results:
        timing = result.timing
        cells = (
            result.rule,
            f"{1e3 * timing.least_s:.1f}",
            f"{timing.ratio_least:.1f}",
            f"{1e3 * timing.median_s:.1f}",
            f"{timing.ratio_median:.1f}",
            "" if result.byzfl_s is None else f"{1e3 * result.byzfl_s:.0f}",
            "" if result.memory is None else f"{result.memory:.2f}",
            f"{result.reads:.1f}",
            result.bar,
            {True: "yes", False: "**no**", None: ""}[result.held],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def benchmark(names: list[str], d: int, repetitions: int, byzfl_up_to: int) -> bool:
    """Measures the rules at one length; whether the bars hold."""
    memory = {name: peak_memory(name, d) for name in (*names, SORT)}
    rows = attacked_rows(d)
    theirs = byzfl_rules.rules(F) if d <= byzfl_up_to else {}
    results = []
    for name in (*names, SORT):
        rule = build(name)
        timing = measure(rule, rows, 3 if name == SORT else repetitions)
        byzfl_s = min(seconds(theirs[name], rows) for _ in range(3)) if name in theirs else None
        results.append(Result(name, timing, memory[name], times_read(rule, rows), byzfl_s))
    sort = results.pop()
    results = [*judge(results, sort.timing.median_s), sort]
    report(
        f"aggregators-d{d}", f"Aggregation rules, n = {N}, f = {F}, d = {d}, float32", repetitions, results
    )
    return all(result.held is not False for result in results)


def main() -> None:
    """Measures all rules at all lengths."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--d", type=int, nargs="*", default=[1_000_000, 10_000_000], help="lengths of a row")
    parser.add_argument(
        "--inputs-at", type=int, nargs="*", default=[200_000, 1_000_000], help="likewise, of INPUTS"
    )
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--byzfl-up-to", type=int, default=1_000_000, help="its NNM takes 16 times the rows")
    parser.add_argument("--peak-of", choices=(*RULES, SORT), help="print the peak memory of this rule alone")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.peak_of:
        print(own_peak_memory(options.peak_of, options.d[0]))
        return
    held = [benchmark(options.rules, d, options.repetitions, options.byzfl_up_to) for d in options.d]
    held.append(on_inputs(options.inputs_at, options.repetitions))
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
