"""Torch set up so that a run is a function of its seed alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from btard.training.determinism import seeded


@contextmanager
def reproducible(seed: bytes, device: torch.device) -> Iterator[None]:
    """Runs a block with torch's generators set from `seed`, deterministic kernels and full float32.

    Everything is put back afterwards but CUBLAS_WORKSPACE_CONFIG, which is set for CUDA where it is not:
    torch refuses to multiply deterministically without it.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with seeded(seed, device):
        yield
