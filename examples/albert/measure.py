"""Measure what one peer of a swarm computes in a step of ALBERT-large, effect by effect: seconds and memory.

The rows of the other peers are the own gradient: an aggregation takes as long with them.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from btard.crypto import digest
from btard.training import BlobStore, Engine, load_recipe
from btard.types import Digest

T = TypeVar("T")
COIN = bytes(range(32))


def peak_gb() -> float:
    """The most memory that this process ever had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def timed(name: str, work: Callable[[], T]) -> T:
    """Do the work, and print its seconds on the wall and on all cores, and the peak until now."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    print(
        f"{name:14}{time.perf_counter() - wall:9.2f}{time.process_time() - cpu:9.2f}{peak_gb():9.2f}",
        flush=True,
    )
    return result


def step(engine: Engine, number: int, peers: int, tau: float) -> Iterator[tuple[str, Callable[[], object]]]:
    """The effects of a step of a peer that validates another one, in the order of the protocol."""
    seed, target = (digest("measure", bytes([number, index])) for index in range(2))
    parts: tuple[Digest, ...] = ()
    aggregates: tuple[Digest, ...] = ()

    def gradient() -> None:
        nonlocal parts
        parts = engine.gradient(number, seed, peers)

    def aggregate() -> None:
        nonlocal aggregates
        own, _ = engine.aggregate((parts[0],) * peers, tau)
        assert own is not None
        aggregates = (own, *parts[1:])

    yield "gradient", gradient
    yield "aggregate", aggregate
    yield "project", lambda: engine.project(number, seed, aggregates, COIN, tau)
    rows = (parts[0],) * peers
    yield "project rows", lambda: engine.project_rows(0, peers, rows, aggregates[0], COIN, tau)
    yield "recompute", lambda: engine.recompute(number, target, aggregates, COIN, tau)
    yield "fingerprint", lambda: engine.fingerprint(number, target, COIN)
    yield "update", lambda: engine.update(number, aggregates)
    yield "adopt", lambda: engine.adopt(number)


def main() -> None:
    """Print a table for each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=int, default=16)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--text", default="python-topics")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    chosen = {name: str(getattr(options, name)) for name in ("length", "batch", "text")}
    recipe = load_recipe("albert-large", options=chosen)
    print(f"{'':14}{'wall s':>9}{'CPU s':>9}{'peak GB':>9}\n{'imported':32}{peak_gb():9.2f}")
    engine = timed("engine", lambda: Engine(recipe, BlobStore(1 << 34), bytes(32), options.device))
    for number in range(options.steps):
        print(f"step {number}, {engine.dimension:,} parameters, {options.peers} peers")
        for name, work in step(engine, number, options.peers, recipe.tau):
            timed(name, work)


if __name__ == "__main__":
    main()
