"""The stored numbers of protocols/vectors/update.json, which every implementation must reproduce."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from btard.training import optimizers
from btard.training.optimizers.arithmetic import norm, power
from btard.training.probe import EXPECTED
from btard.training.sampling import normal, uniform
from protocols.vectors import make_update
from tests.training.optimizers.definitions import DEFINITIONS, clipped

FILE: dict[str, Any] = json.loads(make_update.FILE.read_text())


def made(case: dict[str, Any]) -> Any:
    """The optimizer or schedule that a case names."""
    arguments = {**case["arguments"]}
    if "schedule" in arguments:
        arguments["schedule"] = made(arguments["schedule"])
    for name in ("groups", "stages"):
        if name in arguments:
            arguments[name] = tuple(map(tuple, arguments[name]))
    return getattr(optimizers, case["name"])(**arguments)


def numbers(words: list[str]) -> list[float]:
    return [float(struct.unpack(">f", bytes.fromhex(word))[0]) for word in words]


@pytest.mark.parametrize("case", FILE["updates"], ids=lambda case: str(case["name"]))
def test_the_stored_updates_follow_from_the_definitions_as_written(case: dict[str, Any]) -> None:
    """Computed with Python's numbers alone; `make_update` has them from the library."""
    optimizer = made(case)
    slots = list(case["after"][0])[1:]
    state = [numbers(case["parameters"]), *([0.0] * len(case["parameters"]) for _ in slots)]
    for count, (words, after) in enumerate(zip(case["gradients"], case["after"], strict=True)):
        gradient, result, start = clipped(numbers(words), optimizer.max_norm), [[] for _ in state], 0
        for segment in optimizer.segments([(name, size) for name, size in FILE["tensors"]]):
            part = slice(start, start + segment.size)
            own = [slot[part] for slot in state[1:]]
            pieces = DEFINITIONS[type(optimizer)](
                optimizer, count, segment.weight_decay, state[0][part], gradient[part], own
            )
            for column, piece in zip(result, pieces, strict=True):
                column += piece
            start += segment.size
        state = result
        assert state == [numbers(after[name]) for name in ("parameters", *slots)]


@pytest.mark.parametrize("case", FILE["schedules"], ids=lambda case: str(case["name"]))
def test_schedules_have_the_stored_factors(case: dict[str, Any]) -> None:
    schedule = made(case)
    assert [schedule.factor(count) for count in range(11)] == list(map(float.fromhex, case["factors"]))


@pytest.mark.parametrize("case", FILE["powers"], ids=str)
def test_powers_are_the_stored_ones(case: dict[str, Any]) -> None:
    assert power(case["base"], case["exponent"]) == float.fromhex(case["power"])


@pytest.mark.parametrize("case", FILE["norms"], ids=lambda case: str(case["size"]))
def test_norms_are_the_stored_ones(case: dict[str, Any]) -> None:
    vector = uniform(bytes.fromhex(case["seed"]), case["domain"], case["size"])
    assert norm(vector.numpy()) == float.fromhex(case["norm of uniform"])


@pytest.mark.parametrize("case", FILE["normal"], ids=lambda case: str(case["truncated"]))
def test_normal_numbers_are_the_stored_ones(case: dict[str, Any]) -> None:
    seed, stored = bytes.fromhex(case["seed"]), case["numbers"]
    drawn = normal(seed, case["domain"], len(stored), case["std"], case["truncated"]).numpy()
    assert drawn.tobytes() == np.array(numbers(stored), np.float32).tobytes()


def test_the_file_is_what_its_command_makes_and_has_the_probe() -> None:
    assert make_update.FILE.read_text(encoding="utf-8") == make_update.text()
    assert FILE["probe"] == EXPECTED.hex()
