"""Tasks: found by name, pure functions of their seeds, fit for the laboratory; and digits learns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from btard.crypto import digest
from btard.data import Images
from btard.errors import ConfigurationError
from btard.training import TASKS, BlobStore, Engine, Recipe, check_device, known_tasks, load_recipe, register
from btard.training.tasks.augmentation import PADDING, crop_and_flip
from btard.training.tasks.cifar10 import cifar10
from btard.training.tasks.classifier import EVALUATED_AT_ONCE, Classifier
from btard.training.tasks.digits import digits, perceptron
from btard.training.tasks.mnist import convolutions, mnist


def test_a_task_registers_by_name_and_is_imported_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btard.training.registry.TASKS", dict(TASKS))
    register("again", "btard.training.tasks.digits:digits")
    register("later", "no.such.module:yet")
    assert {"again", "cifar10", "digits", "later", "mnist"} <= set(known_tasks())
    assert load_recipe("again").describe() == digits().describe()
    with pytest.raises(ConfigurationError, match="exists already"):
        register("again", "another:one")
    with pytest.raises(ConfigurationError, match="module:attribute"):
        register("crooked", "module.attribute")


OWN = """
from dataclasses import replace
from btard.training.tasks.digits import digits
recipe = replace(digits(), batch_size=7)
def make(batch_size=9):
    return replace(digits(), batch_size=batch_size)
def needs(argument):
    return digits()
def makes_nothing():
    pass
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current directory."""
    monkeypatch.setattr("btard.training.registry.TASKS", dict(TASKS))
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_task_of_a_test.py").write_text(OWN)
    (tmp_path / "own_task_that_needs_more.py").write_text("import no_such_module_at_all")
    monkeypatch.setattr("sys.modules", dict(sys.modules))
    return "own_task_of_a_test"


@pytest.mark.parametrize(("attribute", "batch_size"), [("recipe", 7), ("make", 9)])
def test_an_import_string_finds_a_task_in_the_current_directory(
    own: str, attribute: str, batch_size: int
) -> None:
    assert load_recipe(f"{own}:{attribute}").batch_size == batch_size


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("no_such_module_at_all:task", "needs the module 'no_such_module_at_all'"),
        ("own_task_that_needs_more:task", "needs the module 'no_such_module_at_all'"),
        ("own_task_of_a_test:absent", "cannot be imported: .* 'absent'"),
        ("own_task_of_a_test:needs", "is not a recipe"),
        ("own_task_of_a_test:makes_nothing", "is not a recipe"),
        ("own_task_of_a_test:OWN.more", "cannot be imported"),
        ("sys:path", "is not a recipe"),
        ("own_task_of_a_test:", "there is no task .* write module:attribute"),
        ("own task:make", "there is no task"),
        ("dogs", r"no task 'dogs'.*digits"),
        ("later", "task 'later' needs the module 'no_such_module_at_all'"),
    ],
)
def test_an_import_string_that_leads_to_no_task_is_refused_in_one_sentence(
    own: str, name: str, what: str
) -> None:
    register("later", "no_such_module_at_all:yet")
    with pytest.raises(ConfigurationError, match=what):
        load_recipe(name)


def test_a_published_run_imports_only_what_this_processes_user_named(own: str) -> None:
    with pytest.raises(ConfigurationError, match="if you trust what it imports"):
        load_recipe(f"{own}:make", published=True)
    assert own not in sys.modules
    load_recipe(f"{own}:make")
    assert load_recipe(f"{own}:make", published=True).batch_size == 9
    with pytest.raises(ConfigurationError, match="if you trust"):
        load_recipe(f"{own}:recipe", published=True)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        *(
            (text, "use cpu, cuda or cuda:N")
            for text in ("banana", "", "cuda:", "cuda:-1", "cpu:0", "mps", "CPU")
        ),
        ("cuda:777", r"has no CUDA|CUDA devices, from"),
    ],
)
def test_what_is_no_device_of_this_machine_is_refused_with_what_to_use(text: str, advice: str) -> None:
    assert check_device("cpu") == "cpu"
    with pytest.raises(ConfigurationError, match=advice):
        check_device(text)


def test_a_recipe_says_in_text_what_peers_must_agree_on() -> None:
    recipe = Recipe(digits().task, 8, partial(torch.optim.Adam, lr=0.1, betas=(0.9, 0.99)), clip=1.5)
    assert recipe.describe() == {
        "task": "digits",
        "profile": "like hardware",
        "batch_size": "8",
        "micro_batch": "none",
        "precision": "fp32",
        "optimizer": "torch.optim.adam.Adam(betas=(0.9, 0.99), lr=0.1)",
        "scheduler": "none",
        "clip": "1.5",
        "projections": "4",
    }


@pytest.mark.parametrize(
    "change",
    [
        *({"batch_size": 0}, {"projections": 0}, {"clip": 0.0}, {"clip": float("inf")}),
        *({"micro_batch": 0}, {"micro_batch": 5}, {"micro_batch": 64}, {"precision": "fp8"}),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="use"):
        replace(digits(), **change)


def test_eight_peers_learn_digits_to_97_percent_in_100_steps() -> None:
    peers = 8
    engine = Engine(digits(), BlobStore(1 << 26), bytes(32))
    assert engine.evaluate()["accuracy"] < 0.3
    for step in range(100):
        seeds = [digest("test", bytes([step, peer])) for peer in range(peers)]
        rows = [engine.gradient(step, seed, 1) for seed in seeds]
        aggregate, _ = engine.aggregate(tuple(row[0] for row in rows), 1.0)
        assert aggregate is not None
        engine.update(step, (aggregate,))
        engine.adopt(step)
    assert engine.evaluate()["accuracy"] >= 0.97


def test_the_loss_of_a_digits_batch_is_what_it_always_was() -> None:
    """A validator of another version recomputes the same batch: the draw of its images is normative."""
    task = digits().task
    model = task.build(bytes(32))
    losses = [float(task.loss(model, bytes([index]) * 32, 32).detach()) for index in range(3)]
    assert losses == pytest.approx([2.3297684, 2.3014784, 2.3263268], abs=1e-6)


# ---------------------------------------------------------------- classifiers


def noise(shape: tuple[int, ...], train: int = 20, test: int = 10) -> Images:
    """Images of nothing, with labels of ten classes."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(train + test, *shape, generator=generator)
    labels = torch.randint(10, (train + test,), generator=generator)
    return Images("noise", images[:train], labels[:train], images[train:], labels[train:], 10)


def bytes_of(model: nn.Module) -> bytes:
    return b"".join(p.detach().numpy().astype("<f4").tobytes() for p in model.parameters())


@pytest.mark.parametrize(
    ("recipe", "parameters", "first"),
    [
        (digits, 50_826, "e7afc73698480383"),
        (mnist, 114_314, "f80813a318b50842"),
        (cifar10, 11_173_962, "d570b1d79ff6db03"),
    ],
)
def test_a_network_starts_from_its_seed_alone(
    recipe: Callable[[], Recipe], parameters: int, first: str
) -> None:
    """From the keystream by exact arithmetic: these bytes are normative, alike on every platform."""
    build = recipe().task.build
    before = torch.get_rng_state()
    model = build(bytes(32))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert bytes_of(build(bytes(32))) == bytes_of(model)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert digest("test", bytes_of(model)).hex()[:16] == first
    assert bytes_of(build(bytes([1]) * 32)) != bytes_of(model)


def test_evaluation_in_chunks_is_that_of_all_images_at_once() -> None:
    data = noise((64,), test=2 * EVALUATED_AT_ONCE + 17)
    task = Classifier("noise", lambda: data, perceptron)
    model = task.build(bytes(32))
    sizes: list[int] = []
    model.register_forward_pre_hook(lambda _, images: sizes.append(len(images[0])))
    evaluation = task.evaluate(model)
    assert sizes == [EVALUATED_AT_ONCE, EVALUATED_AT_ONCE, 17]
    logits = model(data.test_images).detach()
    assert evaluation["loss"] == pytest.approx(
        float(functional.cross_entropy(logits, data.test_labels)), rel=1e-6
    )
    assert evaluation["accuracy"] == float((logits.argmax(1) == data.test_labels).double().mean())


def test_a_gradient_of_augmented_images_can_be_recomputed_from_its_seed() -> None:
    data = noise((1, 28, 28))
    task = Classifier("noise", lambda: data, convolutions, crop_and_flip)
    recipe = replace(mnist(), task=task)
    mine, validators = (Engine(recipe, BlobStore(1 << 24), bytes(32)) for _ in range(2))
    seeds = [bytes([index]) * 32 for index in range(2)]
    gradients = [mine.gradient(0, seed, 2) for seed in seeds]
    assert [validators.gradient(0, seed, 2) for seed in reversed(seeds)] == gradients[::-1]
    plain = Engine(replace(recipe, task=replace(task, augmentation=None)), BlobStore(1 << 24), bytes(32))
    assert plain.gradient(0, seeds[0], 2) != gradients[0]


@given(seed=st.binary(min_size=32, max_size=32), batch=st.integers(1, 3), width=st.integers(1, 6))
def test_an_augmented_image_is_the_image_moved_by_up_to_four_pixels_and_perhaps_mirrored(
    seed: bytes, batch: int, width: int
) -> None:
    height = 5
    images = 1.0 + torch.arange(batch * 2 * height * width).view(batch, 2, height, width)
    augmented = crop_and_flip(images, seed)
    assert torch.equal(crop_and_flip(images, seed), augmented)
    padded = functional.pad(images, (PADDING,) * 4)
    moves = range(2 * PADDING + 1)
    for image, result in zip(padded, augmented, strict=True):
        crops = [image[:, y : y + height, x : x + width] for y in moves for x in moves]
        assert any(torch.equal(result, crop) or torch.equal(result, crop.flip(2)) for crop in crops)


def test_augmentation_makes_all_moves_and_mirrors_half() -> None:
    """Of 2,000 images with one bright pixel: 81 places, 25 each on average, and a left and a right half."""
    images = torch.zeros(2000, 2, 9, 9)
    images[:, 0, 4, 4] = 1
    images[:, 1, 4, 3] = 1
    augmented = crop_and_flip(images, bytes(32))
    counts = augmented[:, 0].sum(0)
    assert int(counts.sum()) == 2000
    assert 8 <= int(counts.min()) <= int(counts.max()) <= 50
    # The second pixel is left of the first, or right of it in a mirror.
    column = torch.arange(9.0)
    seen = augmented[:, 1].sum((1, 2)).bool()
    shift = (augmented[:, 1].sum(1) @ column - augmented[:, 0].sum(1) @ column)[seen]
    assert set(shift.tolist()) == {-1, 1}
    assert 0.45 < float((shift == 1).double().mean()) < 0.55


def test_images_are_loaded_when_a_task_needs_them_and_libraries_with_them() -> None:
    script = (
        "import sys, btard.data; from btard.training import load_recipe\n"
        "[load_recipe(name).describe() for name in ('cifar10', 'digits', 'mnist')]\n"
        "assert not {'PIL', 'datasets', 'huggingface_hub', 'pyarrow', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
