"""Fuzz targets by name, or all of them: `python -m tests.fuzz [TARGET ...] --inputs N --seed S`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.corpus import corpus, keep
from tests.fuzz.target import fuzz
from tests.fuzz.targets import TARGETS


def resident_peak_kib() -> int:
    """The most memory that this process has had resident, in KiB; 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def main() -> int:
    """Run the targets; an input that breaks one goes into the corpus, and the status is 1."""
    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"of {', '.join(names)}; all without one")
    parser.add_argument(
        "--inputs", type=int, default=10_000, help="for each decoder; fewer of what takes longer"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same inputs")
    options = parser.parse_args()
    if unknown := set(options.target) - set(names):
        parser.error(f"there is no target {', '.join(sorted(unknown))}: choose of {', '.join(names)}")
    failed = False
    for target in TARGETS:
        if options.target and target.name not in options.target:
            continue
        report = fuzz(target, max(1, options.inputs // target.counts_as), options.seed, corpus(target.name))
        print(f"{report}  resident {resident_peak_kib() // 1024} MiB", flush=True)
        for what, raw in report.failures:
            failed = True
            print(f"  {what}\n  kept as {keep(target.name, raw)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
