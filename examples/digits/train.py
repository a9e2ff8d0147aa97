"""Eight peers, three of them Byzantine, train on digits: the arithmetic of BTARD without the network."""

from __future__ import annotations

import argparse
import math

import torch

from btard.codec import FP32
from btard.crypto import digest
from btard.training import BlobStore, Engine, load_recipe
from btard.types import Digest


def flipped(store: BlobStore, parts: tuple[Digest, ...]) -> tuple[Digest, ...]:
    """What a sign-flipping attacker sends instead of its gradient."""
    return tuple(store.put(FP32.encode(-1000 * FP32.decode(store.get(part) or b""))) for part in parts)


def main() -> None:
    """Train and print the accuracy on held-out images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=int, default=8)
    parser.add_argument("--byzantine", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--tau", type=float, default=0.3)
    options = parser.parse_args()
    torch.set_num_threads(1)

    store = BlobStore(capacity_bytes=1 << 28)
    engine = Engine(load_recipe("digits"), store, seed=bytes(32))
    tau = options.tau / math.sqrt(options.peers)  # of the whole gradient, and so of one of as many parts
    coin = bytes(32)
    for step in range(options.steps):
        # Every peer's batch follows from the public coin, so every peer can recompute every gradient.
        seeds = [digest("example seed", coin, bytes([peer])) for peer in range(options.peers)]
        rows = [engine.gradient(step, seed, options.peers) for seed in seeds]
        rows[: options.byzantine] = [flipped(store, row) for row in rows[: options.byzantine]]
        # Peer j aggregates part j of everybody's gradient.
        columns = zip(*rows, strict=True)
        aggregates = [engine.aggregate(column, tau)[0] for column in columns]
        engine.update(step, tuple(aggregate for aggregate in aggregates if aggregate is not None))
        engine.adopt(step)
        coin = digest("example coin", coin)
        if (step + 1) % 25 == 0:
            found = engine.evaluate()
            print(f"step {step + 1:4d}  loss {found['loss']:.3f}  accuracy {found['accuracy']:.1%}")


if __name__ == "__main__":
    main()
