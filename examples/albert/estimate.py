"""Estimate a step of ALBERT-large among rented GPUs from what is assumed of them, and print what it is made
of."""

from __future__ import annotations

import argparse

from btard.training.tasks.albert.recipes import GLOBAL_BATCH, LARGE, LARGE_VOCABULARY, STEPS

PARAMETERS = 17_847_474
"""The test of the task counts them (tests/training/tasks/albert/test_pretraining.py)."""


def flops(length: int) -> float:
    """Operations of forward and backward of one sequence: products alone, backward twice the forward."""
    hidden, layers = LARGE.hidden, LARGE.layers
    layer = 2 * (4 * hidden * hidden + 2 * hidden * LARGE.intermediate) + 4 * length * hidden
    guessed = 0.15 * length
    head = 2 * guessed * LARGE.embedding * (hidden + LARGE_VOCABULARY)
    return 3 * (layers * length * layer + head)


def main() -> None:
    """Print the estimate for the assumptions given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=int, default=16)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--tflops", type=float, default=4.4, help="sustained by one GPU")
    parser.add_argument("--mbit", type=float, default=1000.0, help="of a link, each way")
    parser.add_argument("--latency-ms", type=float, default=70.0, help="of a round of messages")
    parser.add_argument("--rounds", type=int, default=7, help="of messages in a step")
    parser.add_argument("--cpu-s", type=float, default=2.2, help="aggregation, update and checks on the CPU")
    parser.add_argument(
        "--security-cpu-s", type=float, default=1.4, help="of those, what all-reduce would not do"
    )
    parser.add_argument(
        "--waited", type=float, default=0.25, help="share of steps that wait for a recomputation"
    )
    options = parser.parse_args()
    batch = GLOBAL_BATCH // options.peers
    gradient = batch * flops(options.length) / (options.tflops * 1e12)
    moved = 2 * 4 * PARAMETERS * (options.peers - 1) / options.peers
    transfer = moved * 8 / (options.mbit * 1e6)
    latency = options.rounds * options.latency_ms / 1000
    recomputed = options.waited * gradient
    step = gradient + recomputed + options.cpu_s + transfer + latency
    rows = (
        ("sequences a peer", f"{batch}"),
        ("operations a sequence", f"{flops(options.length):.3g}"),
        ("gradient", f"{gradient:.1f} s"),
        ("recomputation waited for", f"{recomputed:.1f} s"),
        ("work on the CPU", f"{options.cpu_s:.1f} s"),
        ("moved each way", f"{moved / 1e6:.1f} MB"),
        ("transfer and latency", f"{transfer + latency:.1f} s"),
        ("step", f"{step:.1f} s"),
        ("of it security on the CPU", f"{options.security_cpu_s / step:.1%}"),
        ("of it waiting for recomputation", f"{recomputed / step:.1%}"),
        (f"{STEPS:,} steps", f"{STEPS * step / 86400:.0f} days"),
    )
    for name, value in rows:
        print(f"{name:34}{value:>12}")


if __name__ == "__main__":
    main()
