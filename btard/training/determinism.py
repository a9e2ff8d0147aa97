"""Make a computation a function of its seed alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.utils import deterministic

from btard.crypto import digest

_process = threading.RLock()
"""torch's generators and switches belong to the process: one seeded computation at a time."""


@contextmanager
def seeded(seed: bytes, device: torch.device) -> Iterator[None]:
    """Run a block with torch's generators set from `seed`, deterministic kernels and full float32.

    All settings and generators are put back afterwards, so that the caller's own randomness and a
    neighbouring engine are undisturbed. TensorFloat-32 is off, and so are sums in less than float32 within
    products of bf16 or fp16: the recomputation tolerance (protocols/fingerprint.md) is derived without them.
    On CUDA, the process keeps CUBLAS_WORKSPACE_CONFIG=:4096:8, unless it has another value: torch refuses to
    multiply deterministically without it. Thread counts are the process's own choice.
    """
    number = int.from_bytes(digest("torch seed", seed)[:8], "big")
    on_cuda = device.type == "cuda"
    if on_cuda:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with _process, torch.random.fork_rng(devices=[device] if on_cuda else []):
        torch.default_generator.manual_seed(number)
        if on_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(number)
        with _deterministic(on_cuda), torch.autocast(device.type, enabled=False):
            yield


@contextmanager
def _deterministic(on_cuda: bool) -> Iterator[None]:
    mode = torch.get_deterministic_debug_mode()
    precision = torch.get_float32_matmul_precision()
    switches: Any = deterministic  # a module whose attributes no type checker sees
    fill = switches.fill_uninitialized_memory
    # Not `use_deterministic_algorithms`, which imports torch's compiler first: seconds of every process.
    torch.set_deterministic_debug_mode("error")
    torch.set_float32_matmul_precision("highest")
    # Torch would first fill every new tensor with NaN, against code that reads what it never wrote.
    switches.fill_uninitialized_memory = False
    flags = {"enabled": True, "benchmark": False, "deterministic": True, "allow_tf32": False}
    products: Any = torch.backends.cuda.matmul
    reduced = "allow_bf16_reduced_precision_reduction", "allow_fp16_reduced_precision_reduction"
    before = {name: getattr(products, name) for name in reduced}
    for name in reduced:
        setattr(products, name, False)
    try:
        with torch.backends.cudnn.flags(**flags) if on_cuda else nullcontext():
            yield
    finally:
        for name, value in before.items():
            setattr(products, name, value)
        switches.fill_uninitialized_memory = fill
        torch.set_float32_matmul_precision(precision)
        torch.set_deterministic_debug_mode(mode)
