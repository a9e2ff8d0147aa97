"""Time of one update of the portable optimizers, beside torch.optim's.

    python -m benchmarks.update

At d = 17,847,474, the size of ALBERT-large, in eight tensors; one thread. Portable: the new state from the
old one, without hashing. torch's optimizers work in place, so the copy that the engine makes before stands in
a column of its own. The least of some repetitions, in processor time of this thread.

Must hold: LAMB takes at most 0.15 s, and no portable optimizer more than torch's with its copy.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import machine
from btard.training.optimizers import LAMB, SGD, AdamW, PortableOptimizer, Vectors

D = 17_847_474
TENSORS = 8
REPETITIONS = 7
LAMB_S_MAX = 0.15

PORTABLE: dict[str, PortableOptimizer] = {
    "SGD": SGD(learning_rate=0.1, momentum=0.9, nesterov=True),
    "AdamW": AdamW(learning_rate=1e-3, weight_decay=0.01),
    "LAMB": LAMB(learning_rate=1.76e-3, weight_decay=0.01, max_norm=1.0),
}


def least_s(work: Callable[[], object]) -> float:
    """The least time that `work` takes, after one that does not count."""
    work()
    times = []
    for _ in range(REPETITIONS):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)


def portable_s(optimizer: PortableOptimizer, parameters: np.ndarray, gradient: np.ndarray) -> float:
    """The time of one update."""
    old, new = (
        Vectors(parameters.copy(), tuple(np.full_like(parameters, 1e-3) for _ in optimizer.slots))
        for _ in range(2)
    )
    sizes = [(f"tensor {k}", D // TENSORS) for k in range(TENSORS - 1)]
    sizes.append(("the last", D - sum(size for _, size in sizes)))
    segments = optimizer.segments(sizes)
    return least_s(lambda: optimizer.update(5, old, gradient, new, segments))


def torch_s(parameters: np.ndarray, gradient: np.ndarray) -> dict[str, float]:
    """The times of torch's optimizers by default, and of copying one vector."""
    weights = torch.from_numpy(parameters.copy()).requires_grad_()
    weights.grad = torch.from_numpy(gradient)
    copies = [torch.empty_like(weights) for _ in range(3)]
    return {
        "SGD": least_s(torch.optim.SGD([weights], lr=0.1, momentum=0.9, nesterov=True).step),
        "AdamW": least_s(torch.optim.AdamW([weights], lr=1e-3, weight_decay=0.01).step),
        "one copied vector": least_s(lambda: copies[0].copy_(weights.detach())),
    }


def main() -> None:
    """Measure, print and keep; end with status 1 if a bar does not hold."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    parameters, gradient = (rng.normal(0, 0.02, D).astype(np.float32) for _ in range(2))
    mine = {name: portable_s(each, parameters, gradient) for name, each in PORTABLE.items()}
    theirs = torch_s(parameters, gradient)
    copied = theirs["one copied vector"]
    where = machine.describe()
    lines = [
        f"# One update at d = {D:,}",
        "",
        f"`python -m benchmarks.update`; processor seconds of one thread. {machine.in_words(where)}",
        "",
        "| optimizer | portable | torch.optim | copy of its state before |",
        "|---|---|---|---|",
    ]
    for name, seconds in mine.items():
        vectors = 1 + len(PORTABLE[name].slots)
        known = f"{theirs[name]:.3f}" if name in theirs else "-"
        lines.append(f"| {name} | {seconds:.3f} | {known} | {vectors * copied:.3f} |")
    report = {"machine": where, "dimension": D, "portable_s": mine, "torch_s": theirs}
    machine.keep("update", report, "\n".join(lines) + "\n")
    held = all(
        mine[name] <= theirs[name] + (1 + len(PORTABLE[name].slots)) * copied
        for name in theirs
        if name in mine
    )
    if not held or mine["LAMB"] > LAMB_S_MAX:
        sys.exit("a bar does not hold")


if __name__ == "__main__":
    main()
