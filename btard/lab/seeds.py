"""The randomness of an experiment: one seed for each purpose and step, derived from its own."""

from __future__ import annotations

import torch

from btard.crypto import digest


def derive(seed: int, purpose: str, step: int = 0) -> bytes:
    """Return 32 bytes that depend on all three, so that no purpose shares the draws of another."""
    return digest("lab", str(seed).encode(), purpose.encode(), str(step).encode())


def derive_number(seed: int, purpose: str, step: int = 0) -> int:
    """Return the same as a number of 63 bits, for generators that take one."""
    return int.from_bytes(derive(seed, purpose, step)[:8], "little") >> 1


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a generator on the CPU, which draws the same whatever device trains."""
    return torch.Generator().manual_seed(derive_number(seed, purpose))
