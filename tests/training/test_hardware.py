"""One model on unlike hardware: processes whose libraries use other instructions stand for other machines."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from btard.training.optimizers.arithmetic import BLOCK
from btard.training.probe import EXPECTED, SIZES, gradient, probe
from tests.training.machines import machines

SCRIPT = """
import torch
from btard.codec import FP32
from btard.data import load_images
from btard.training import LAMB, BlobStore, Engine
from btard.training.probe import probe
from btard.training.sampling import normal
from btard.training.start import describe_start
from btard.training.tasks.digits import digits
from dataclasses import replace
torch.set_num_threads(int(__import__("sys").argv[1]))
print(probe().hex())
lamb = LAMB(learning_rate=0.01, weight_decay=0.1, max_norm=1.0)
for recipe in (digits(), replace(digits(), optimizer=lamb)):
    print(sorted(describe_start(recipe, bytes(32)).items()))
    engine = Engine(recipe, BlobStore(1 << 24), bytes(32))
    for step in range(3):
        aggregate = normal(bytes(32), f"aggregate {step}", engine.dimension, 0.01)
        engine.update(step, (engine.store.put(FP32.encode(aggregate)),))
        engine.adopt(step)
        print(engine.model_digest.hex())
gradient = engine.compute_gradient(3, bytes(32))
print("gradient", gradient.numpy().tobytes().hex()[:4000], torch.backends.cpu.get_cpu_capability())
"""


def said(threads: int, **environment: str) -> list[str]:
    """What the script says in a process with these settings."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(threads)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.splitlines()


def test_start_and_updates_are_the_same_bits_though_gradients_are_not() -> None:
    *mine, computed = said(1)
    assert mine[0] == EXPECTED.hex()
    others = [said(threads, **environment) for threads, environment in machines()]
    assert [other[:-1] for other in others] == [mine] * len(others)
    unlike = torch.backends.cpu.get_cpu_capability() != "DEFAULT"
    assert not unlike or len({computed, *(other[-1] for other in others)}) > 1


def test_the_probe_has_more_than_a_block_and_numbers_that_a_flush_would_lose() -> None:
    assert SIZES[0][1] > BLOCK
    numbers = gradient(0, sum(size for _, size in SIZES))
    assert np.isfinite(numbers).all()
    subnormal = (np.abs(numbers) < np.finfo(np.float32).tiny) & (numbers != 0)
    assert subnormal.sum() > 50


@pytest.mark.parametrize("operation", ["sqrt", "multiply", "add", "divide"])
def test_a_machine_with_another_rounding_of_one_operation_fails_the_probe(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a fused multiply-add, or a square root of a library: here, one result in a thousand is off."""
    true = getattr(np, operation)

    def nearly(*arguments: object, **named: object) -> object:
        result = true(*arguments, **named)
        if result.dtype == np.float32:
            result[::1000] = np.nextafter(result[::1000], np.float32(np.inf))
        return result

    monkeypatch.setattr(np, operation, nearly)
    assert probe.__wrapped__() != EXPECTED
