"""How long each aggregation rule takes, as a multiple of `rows.mean(0)` of the same tensor in the same run.

    python -m benchmarks.aggregators 1000000

Rows are 16 float32 vectors around a common one, three of them at -1000 times it. Each repetition times the
mean and then the rule, so that both see the same machine. Medians are compared, and the least times, which
other work on the machine disturbs less. The table is printed and
written with the machine's description to benchmarks/results/ as Markdown and JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from btard.aggregators import parse

RESULTS = Path(__file__).parent / "results"
N, F = 16, 3
RULES = (
    "mean",
    "median",
    "trimmed_mean",
    "meamed",
    "geometric_median",
    "centered_clip(tau=1)",
    "krum",
    "multi_krum",
    "mda",
    "bulyan",
    "nnm+median",
    "ctma+median",
    "bucketing(s=2)+centered_clip(tau=1)",
)


def attacked_rows(d: int) -> Tensor:
    """16 rows of which 3 are sign-flipped, shape (16, d)."""
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(d, generator=generator)
    rows = g + torch.randn(N, d, generator=generator)
    rows[:F] = -1000 * g
    return rows


def build(name: str) -> Callable[[Tensor], object]:
    """The rule of this name for f = 3, or the sort that coordinate-wise rules are measured against."""
    if name == "torch.sort(0)":
        return lambda rows: torch.sort(rows, 0)
    return parse(name, F)


def seconds(call: Callable[[Tensor], object], rows: Tensor) -> float:
    start = perf_counter()
    call(rows)
    return perf_counter() - start


def measure(name: str, rows: Tensor, repetitions: int) -> dict[str, float | str]:
    """Median and least seconds of the rule and of the mean beside it, and their ratios."""
    rule = build(name)
    rule(rows)
    pairs = [(seconds(lambda x: x.mean(0), rows), seconds(rule, rows)) for _ in range(repetitions)]
    columns = list(zip(*pairs, strict=True))
    mean_s, rule_s = (statistics.median(column) for column in columns)
    mean_least_s, rule_least_s = (min(column) for column in columns)
    return {
        "rule": name,
        "rule_s": rule_s,
        "mean_s": mean_s,
        "ratio": rule_s / mean_s,
        "rule_least_s": rule_least_s,
        "mean_least_s": mean_least_s,
        "ratio_least": rule_least_s / mean_least_s,
    }


def machine() -> dict[str, str | int]:
    """What the numbers depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else [])
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        # Above the number of threads, other work shared the machine and the ratios are too high.
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def table(
    report: dict[str, object], where: dict[str, str | int], results: list[dict[str, float | str]]
) -> str:
    """The report as Markdown."""
    lines = [
        f"# Aggregation rules, n = {N}, f = {F}, d = {report['d']}, float32",
        "",
        ", ".join(f"{key}: {value}" for key, value in where.items())
        + f"; median and least of {report['repetitions']} repetitions.",
        "",
        "| rule | median, ms | times rows.mean(0) | least, ms | times rows.mean(0) |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r['rule']} | {1e3 * float(r['rule_s']):.1f} | {float(r['ratio']):.1f}"
        f" | {1e3 * float(r['rule_least_s']):.1f} | {float(r['ratio_least']):.1f} |"
        for r in results
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures all rules at the given d."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("d", type=int, help="length of a row")
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    where = machine()
    rows = attacked_rows(options.d)
    results = [measure(name, rows, options.repetitions) for name in (*RULES, "torch.sort(0)")]
    report: dict[str, object] = {
        "n": N,
        "f": F,
        "d": options.d,
        "dtype": "float32",
        "repetitions": options.repetitions,
        "machine": where,
        "results": results,
    }
    RESULTS.mkdir(exist_ok=True)
    stem = f"aggregators-d{options.d}"
    text = table(report, where, results)
    (RESULTS / f"{stem}.md").write_text(text, encoding="utf-8")
    (RESULTS / f"{stem}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
