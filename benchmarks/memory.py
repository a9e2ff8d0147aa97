"""Memory of a peer beside its activations, and the time of what it does beside its gradient.

    python -m benchmarks.memory [--d 10000000] [--only engine]

Once with the engine alone, which does in turn all that a peer of four does that is validator and target, and
once in a swarm of 4 real processes; for AdamW and for LAMB. The gradient costs next to nothing and has no
activations (`benchmarks.large`). Memory is the peak of resident memory, in units of the model's bytes, 4 d,
above that of the same run with a model of 1,000 parameters: the interpreter, its libraries and threads. Times
are the least of the steps, with one thread. Page faults are those of the last step. It needs Linux.

Must hold: at most 14 units for the engine, and for a peer of the swarm that keeps no checkpoints. The table
shows the peer that keeps them as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import large, machine

UNITS_MAX = 14.0
SMALL_D = 1000
PEERS = 4
STEPS = 4
RECIPES = ("adamw", "lamb")
TAU = 1e6
COIN = bytes(range(32))
CLEAR = Path("/proc/self/clear_refs")


class Phases:
    """The peak of resident memory and the time of each phase, the greatest and the least of all steps."""

    def __init__(self) -> None:
        self.peak_bytes: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.faults: dict[str, int] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        if CLEAR.exists():
            CLEAR.write_text("5", encoding="ascii")  # the peak begins anew
        faults, start = _faults(), time.perf_counter()
        yield
        spent = time.perf_counter() - start
        self.faults[name] = _faults() - faults
        self.seconds[name] = min(spent, self.seconds.get(name, spent))
        self.peak_bytes[name] = max(machine.peak_bytes(), self.peak_bytes.get(name, 0))


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def engine(recipe: str) -> dict[str, Any]:
    """Do what a peer of PEERS does in STEPS steps, with the blobs of the others made up; one process."""
    import torch

    from btard.parts import windows
    from btard.training import BlobStore, Engine

    torch.set_num_threads(1)
    phases = Phases()
    with phases("start"):
        mine = Engine(getattr(large, recipe)(), BlobStore(1 << 40), bytes(32))
    spans = windows(mine.dimension, PEERS)
    past: tuple[Any, ...] = ()
    for step in range(STEPS):
        seeds = [bytes([peer, step]) * 16 for peer in range(PEERS)]
        with phases("gradient"):
            parts = mine.gradient(step, seeds[0], PEERS)
        with phases("recompute"):
            if step:
                mine.recompute(step - 1, bytes([1, step - 1]) * 16, past, COIN, TAU)
        # What others send: rows of the own part, then aggregates of the other parts.
        rows = (parts[0], *(mine.store.put(_received(peer, spans[0][1])) for peer in range(1, PEERS)))
        with phases("aggregate"):
            own = mine.aggregate(rows, TAU)[0]
        assert own is not None
        others = (mine.store.put(_received(part, size)) for part, (_, size) in enumerate(spans) if part)
        past = (own, *others)
        with phases("project"):
            mine.project(step, seeds[0], past, COIN, TAU)
        if step:
            with phases("fingerprint"):
                for peer in range(2):
                    mine.fingerprint(step - 1, bytes([peer, step - 1]) * 16, COIN)
        with phases("project rows"):
            mine.project_rows(0, PEERS, rows, past[0], COIN, TAU)
        with phases("update"):
            mine.update(step, past)
        with phases("adopt"):
            mine.adopt(step, past)
        state = mine.checkpoint().state
        with phases("digest anew"):
            state.digest()
        del state
    return {"peak_bytes": phases.peak_bytes, "seconds": phases.seconds, "faults": phases.faults}


def _received(number: int, size: int) -> memoryview:
    """A blob as the network hands it over."""
    from btard.memory import octets

    body = octets(4 * size)
    body.view("<f4").fill(number * 1e-3)
    return body.data.toreadonly()


async def swarm(recipe: str) -> dict[str, Any]:
    """Run a swarm of PEERS processes; the peak of each kind of peer."""
    from btard.run.plan import plan_run
    from btard.swarm.processes import run_processes
    from btard.swarm.spec import SwarmSpec

    seconds: list[float] = []
    peaks: dict[int, int] = {}
    spec = SwarmSpec(
        plan_run(f"benchmarks.large:{recipe}", peers=PEERS, validators=1, steps=STEPS, delta_s=2.0)
    )

    def emit(event: Any) -> None:
        if (duration_s := getattr(event, "duration_s", None)) is not None:
            seconds.append(duration_s)

    with tempfile.TemporaryDirectory() as scratch:
        watching = asyncio.ensure_future(_watch(peaks))
        try:
            ends = await run_processes(spec, Path(scratch), emit=emit)
        finally:
            watching.cancel()
    assert len({end.model for end in ends}) == 1
    # The process that keeps checkpoints has the most; the least is the bootstrap's, and the server's.
    return {"peak_bytes": sorted(peaks.values(), reverse=True)[:PEERS], "step_s": min(seconds)}


async def _watch(peaks: dict[int, int]) -> None:
    """Keep the peak of each process that descends from this one."""
    while True:
        parents: dict[int, int] = {}
        highest: dict[int, int] = {}
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
            except OSError:
                continue
            if "VmHWM" in fields:
                parents[int(status.parent.name)] = int(fields["PPid"])
                highest[int(status.parent.name)] = 1024 * int(fields["VmHWM"].split()[0])
        for process, peak in highest.items():
            ancestor = process
            while ancestor in parents and ancestor != os.getpid():
                ancestor = parents[ancestor]
            if ancestor == os.getpid() and process != ancestor:
                peaks[process] = max(peak, peaks.get(process, 0))
        await asyncio.sleep(0.05)


def apart(kind: str, recipe: str, d: int) -> dict[str, Any]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", "--child", kind, recipe]
    environment = {**os.environ, large.D_VARIABLE: str(d), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_engine(recipe: str, d: int) -> dict[str, dict[str, float]]:
    """Return units, seconds and page faults by phase."""
    base = max(apart("engine", recipe, SMALL_D)["peak_bytes"].values())
    found = apart("engine", recipe, d)
    units = {name: (peak - base) / (4 * d) for name, peak in found["peak_bytes"].items()}
    return {"units": units, "seconds": found["seconds"], "faults": found["faults"]}


def measure_swarm(recipe: str, d: int) -> dict[str, Any]:
    """Return the units of the peer that keeps checkpoints, of the others, and the seconds of a step."""
    base = min(apart("swarm", recipe, SMALL_D)["peak_bytes"])
    found = apart("swarm", recipe, d)
    keeper, *others = ((peak - base) / (4 * d) for peak in found["peak_bytes"])
    return {"keeper": keeper, "others": others, "step_s": found["step_s"]}


def table(report: dict[str, Any]) -> str:
    """Return the results for people."""
    d = report["dimension"]
    lines = [
        f"# Memory of a peer, d = {d:,}",
        "",
        f"`python -m benchmarks.memory --d {d}`. {machine.in_words(report['machine'])}",
        "",
        f"A unit is the model's {4 * d / 1e6:,.0f} MB. Peaks are above those of {SMALL_D:,} parameters.",
    ]
    for recipe, found in report["engine"].items():
        lines += [
            "",
            f"## The engine alone, {recipe}",
            "",
            "| phase | peak, units | seconds | page faults |",
            "|---|---|---|---|",
        ]
        for name, units in found["units"].items():
            lines.append(
                f"| {name} | {units:.1f} | {found['seconds'][name]:.3f} | {found['faults'][name]:,} |"
            )
    if report["swarm"]:
        lines += [
            "",
            f"## A swarm of {PEERS} processes",
            "",
            "| optimizer | peers, units | peer that keeps checkpoints, units | step, seconds |",
            "|---|---|---|---|",
        ]
    for recipe, found in report["swarm"].items():
        others = ", ".join(f"{units:.1f}" for units in found["others"])
        lines.append(f"| {recipe} | {others} | {found['keeper']:.1f} | {found['step_s']:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and keep; end with status 1 if a bar does not hold."""
    words = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("--d", type=int, default=10_000_000, help="parameters of the model")
    parser.add_argument("--only", choices=("engine",), help="leave the swarm out, and keep no results")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        kind, recipe = options.child
        found = engine(recipe) if kind == "engine" else asyncio.run(swarm(recipe))
        print(json.dumps(found))
        return
    report: dict[str, Any] = {"machine": machine.describe(), "dimension": options.d, "swarm": {}}
    report["engine"] = {recipe: measure_engine(recipe, options.d) for recipe in RECIPES}
    if options.only is None:
        report["swarm"] = {recipe: measure_swarm(recipe, options.d) for recipe in RECIPES}
        machine.keep(f"memory-d{options.d}", report, table(report))
    else:
        print(table(report))
    units = [max(found["units"].values()) for found in report["engine"].values()]
    units += [most for found in report["swarm"].values() for most in found["others"]]
    if max(units) > UNITS_MAX:
        sys.exit("a bar does not hold")


if __name__ == "__main__":
    main()
