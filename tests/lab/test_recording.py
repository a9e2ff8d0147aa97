"""Gradients of one machine against those of another: what is recorded, compared and refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from torch import nn
from typer.testing import CliRunner

from btard.cli import app
from btard.errors import ConfigurationError, RunMismatchError
from btard.lab.recording import Recording, differences, record
from btard.lab.recording_file import load_recording, save_recording
from btard.lab.sketch import SIZE, sketch
from btard.training import Recipe
from btard.training.tasks.digits import digits
from tests.tasks import blobs

SEED = bytes(32)


# ---------------------------------------------------------------- sketches


@given(st.integers(1, 2000), st.integers(0, 2**32 - 1))
def test_a_short_vector_has_the_length_of_its_sketch(size: int, seed: int) -> None:
    vector = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    assert np.linalg.norm(sketch(vector, SEED)) == pytest.approx(float(vector.double().norm()))


@pytest.mark.parametrize("size", [SIZE + 1, 5 * SIZE - 3, 300 * SIZE + 17])
def test_a_long_vector_has_the_length_of_its_sketch_to_a_few_per_cent(size: int) -> None:
    generator = torch.Generator().manual_seed(3)
    vector = torch.randn(size, generator=generator)
    for each in (vector, vector**5, torch.ones(size)):
        length = float(each.double().norm())
        assert np.linalg.norm(sketch(each, SEED)) == pytest.approx(length, rel=0.05)
    alone = torch.zeros(size)
    alone[size - 1] = 3.0
    assert np.linalg.norm(sketch(alone, SEED)) == 3.0


def test_the_difference_of_two_sketches_is_the_sketch_of_the_difference() -> None:
    one, other = torch.randn(2, 3 * SIZE + 5, generator=torch.Generator().manual_seed(4))
    np.testing.assert_allclose(
        sketch(one, SEED) - sketch(other, SEED), sketch(one - other, SEED), rtol=0, atol=1e-5
    )


# ---------------------------------------------------------------- recordings


class Imprecise:
    """The task `blobs` on a machine whose gradients are longer by a share of `error`."""

    def __init__(self, error: float) -> None:
        self._error = error
        self._task = blobs().task
        self.name = self._task.name

    def build(self, seed: bytes) -> nn.Module:
        return self._task.build(seed)

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> torch.Tensor:
        return self._task.loss(model, seed, batch_size) * (1 + self._error)

    def evaluate(self, model: nn.Module) -> Any:
        return self._task.evaluate(model)


def on(error: float, **given: Any) -> Recording:
    return record(replace(blobs(), task=Imprecise(error)), 5, 4, **given)


def test_a_machine_that_computes_the_same_differs_by_nothing() -> None:
    mine = on(0.0)
    theirs = on(0.0, against=mine)
    assert differences(theirs, mine) == {0: [0.0] * 5, 4: [0.0] * 5}


def test_differences_are_of_the_same_models_though_machines_train_differently(tmp_path: Path) -> None:
    save_recording(on(0.0), tmp_path / "mine")
    mine = load_recording(tmp_path / "mine")
    found = differences(on(0.01, against=mine), mine)
    assert found.keys() == {0, 4}
    assert [d for each in found.values() for d in each] == pytest.approx([0.01 / 1.01] * 10, rel=1e-3)


def test_a_file_says_what_was_recorded_and_has_nothing_of_the_size_of_gradients(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    mine = record(digits(), 3, 2)
    save_recording(mine, path)
    again = load_recording(path)
    assert (again.described, again.machine, again.steps) == (mine.described, mine.machine, 2)
    assert path.stat().st_size < 6 * 8 * SIZE + 4 * 50_826 + 4_000
    for one, other in zip(again.at, mine.at, strict=True):
        np.testing.assert_array_equal(one.sketches, other.sketches)
        np.testing.assert_array_equal(one.norms, other.norms)
    assert again.parameters is not None
    assert mine.parameters is not None
    assert torch.equal(again.parameters, mine.parameters)


def test_gradients_of_another_task_are_not_compared() -> None:
    other: Recipe = replace(blobs(), batch_size=3)
    with pytest.raises(RunMismatchError, match="of another task: batch_size differ"):
        record(other, 5, 0, against=on(0.0))


@pytest.mark.parametrize(("gradients", "steps"), [(0, 0), (1001, 0), (1, -1), (1, 100_001)])
def test_impossible_numbers_are_refused(gradients: int, steps: int) -> None:
    with pytest.raises(ConfigurationError, match=r"gradients is|steps is"):
        record(blobs(), gradients, steps)


def test_a_gradient_that_is_not_finite_is_refused_and_not_compared_as_zero() -> None:
    with pytest.raises(ConfigurationError, match="a gradient of step 0 has no length"):
        on(math.inf)


def altered(path: Path, change: str) -> None:
    """A stranger's file: what `save_recording` wrote, and one thing wrong with it."""
    tensors = load_file(path)
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        about = json.loads(file.read(size))["__metadata__"]
    match change:
        case "format":
            about["format"] = "btard-checkpoint-1"
        case "about":
            about["about"] = "[" * 100_000
        case "no machine":
            about["about"] = json.dumps({"described": {}, "machine": 5})
        case "nan":
            tensors["norms 0"][0] = math.nan
        case "fewer sketches":
            tensors["sketches 4"] = tensors["sketches 4"][:-1]
        case "other type":
            tensors["sketches 0"] = tensors["sketches 0"].astype(np.float32)
        case "no model":
            del tensors["parameters"]
        case "no x_0":
            del tensors["sketches 0"], tensors["norms 0"]
        case "more":
            tensors["norms 7"] = tensors["norms 0"]
        case "odd name":
            tensors["norms -4"] = tensors.pop("norms 4")
        case "long name":
            tensors["norms " + "4" * 5000] = tensors.pop("norms 4")
        case "one number":
            tensors["norms 0"] = np.array(1.0)
        case "square model":
            tensors["parameters"] = tensors["parameters"].reshape(1, -1)
    save_file(tensors, path, about)


@pytest.mark.parametrize(
    "change",
    [
        *(
            "format",
            "about",
            "no machine",
            "nan",
            "fewer sketches",
            "other type",
            "no model",
            "no x_0",
            "more",
        ),
        *("odd name", "long name", "one number", "square model"),
    ],
)
def test_a_file_that_is_something_else_is_refused_in_one_sentence(tmp_path: Path, change: str) -> None:
    path = tmp_path / "theirs"
    save_recording(on(0.0), path)
    altered(path, change)
    with pytest.raises(ConfigurationError, match="is not a recording of gradients"):
        load_recording(path)


def test_bytes_that_are_no_file_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"\x10" * 100)
    for path in (tmp_path / "theirs", tmp_path / "nobody's"):
        with pytest.raises(ConfigurationError, match="cannot read the recording"):
            load_recording(path)


def test_a_model_of_another_size_is_refused() -> None:
    mine = on(0.0)
    with pytest.raises(RunMismatchError, match="of a model of another size"):
        on(0.0, against=replace(mine, parameters=torch.zeros(3)))


# ---------------------------------------------------------------- the command


def test_two_machines_learn_which_profile_fits_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = CliRunner().invoke(app, ["measure-tolerance", "--gradients", "3", "--steps", "2"])
    assert first.exit_code == 0, first.output
    assert "btard measure-tolerance --task digits --against gradients.safetensors" in first.output
    second = ["measure-tolerance", "--against", "gradients.safetensors"]
    shown = CliRunner().invoke(app, second)
    assert shown.exit_code == 0, shown.output
    assert "profile that fits: smooth (epsilon 0.0001" in shown.output
    found = json.loads(CliRunner().invoke(app, [*second, "--json"]).output)
    assert (found["profile"], found["differences"]) == ("smooth", {"0": [0.0] * 3, "2": [0.0] * 3})
    assert [path.name for path in tmp_path.iterdir()] == ["gradients.safetensors"]
