"""The machine that a benchmark's numbers depend on, and the folder of the results."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


def describe() -> dict[str, str | int]:
    """The machine as it is now, its load included."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else [])
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "processors": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        # Near the number of processors and above, other work shared the machine, and times are too long.
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def in_words(where: dict[str, str | int]) -> str:
    """The description on one line."""
    return ", ".join(f"{key}: {value}" for key, value in where.items())


def peak_bytes() -> int:
    """The most memory that this process has had resident."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss, which on Linux begins with the parent's.
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def keep(stem: str, report: object, text: str) -> None:
    """Writes results/`stem`.md and .json, and prints the former."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{stem}.md").write_text(text, encoding="utf-8")
    (RESULTS / f"{stem}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(text)
