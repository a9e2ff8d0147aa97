"""MNIST and CIFAR-10 are read from the hub's parquet files, and nothing else passes for them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from btard.data import load_images
from btard.data.mnist import MNIST
from btard.errors import ConfigurationError
from tests.data.parquet import encoded, pictures, write, write_split

LABELS = [3, 1, 4, 1, 5, 9]
COLUMNS = {"mnist": "image", "cifar10": "img"}
SHAPES = {"mnist": (28, 28), "cifar10": (32, 32, 3)}


@pytest.fixture(params=["mnist", "cifar10"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(name: str, tmp_path: Path) -> Path:
    """The training images in two files, as larger sets have them, in an odd folder below the one named."""
    train, test = pictures(1, 6, SHAPES[name]), pictures(2, 3, SHAPES[name])
    column, below = COLUMNS[name], tmp_path / ".plain [1]"
    write_split(below / "train-00000-of-00002.parquet", train[:4], LABELS[:4], column=column)
    write_split(below / "train-00001-of-00002.parquet", train[4:], LABELS[4:], column=column)
    write_split(below / "test-00000-of-00001.parquet", test, [2, 6, 0], column=column)
    return tmp_path


def channels_first(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.reshape(*pixels.shape[:3], -1)).movedim(-1, 1).double()


def test_images_come_in_the_files_order_standardised_by_the_training_images(name: str, folder: Path) -> None:
    data = load_images(name, folder=folder)
    train, test = (channels_first(pictures(seed, count, SHAPES[name])) for seed, count in ((1, 6), (2, 3)))
    mean = train.mean((0, 2, 3), keepdim=True)
    deviation = train.std((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(data.train_images.double(), (train - mean) / deviation, rtol=0, atol=1e-6)
    torch.testing.assert_close(data.test_images.double(), (test - mean) / deviation, rtol=0, atol=1e-6)
    assert data.train_labels.tolist() == LABELS
    assert data.test_labels.tolist() == [2, 6, 0]
    assert (data.name, data.classes) == (name, 10)


def test_a_folder_is_read_once_and_leaves_nothing_behind(name: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert load_images(name, folder=folder) is load_images(name, folder=str(folder))
    assert sorted(folder.rglob("*")) == before


def test_a_channel_that_never_changes_becomes_zero(tmp_path: Path) -> None:
    pixels = pictures(3, 4, (32, 32, 3))
    pixels[..., 1] = 77
    for split in ("train", "test"):
        write_split(tmp_path / f"{split}.parquet", pixels, [0, 1, 2, 3], column="img")
    images = load_images("cifar10", folder=tmp_path).train_images
    assert int(images[:, 1].count_nonzero()) == 0
    assert math.isclose(float(images[:, 0].double().std(correction=0)), 1, abs_tol=1e-6)


def test_plain_tables_without_the_hubs_types_will_do(tmp_path: Path) -> None:
    rows = [{"bytes": encoded(image), "path": None} for image in pictures(4, 2, (28, 28))]
    for split in ("train", "test"):
        write(tmp_path / f"{split}.parquet", {"image": rows, "label": [7, 8]})
    assert load_images("mnist", folder=tmp_path).test_labels.tolist() == [7, 8]


# ---------------------------------------------------------------- what is refused

Spoil = Callable[[Path], None]


def grey(count: int = 2) -> list[dict[str, bytes | None]]:
    return [{"bytes": encoded(image)} for image in pictures(5, count, (28, 28))]


def image(shape: tuple[int, ...], kind: str = "PNG") -> bytes:
    return encoded(pictures(6, 1, shape)[0], kind)


def columns(**changes: object) -> Spoil:
    """A training file with other columns than MNIST's."""
    content: dict[str, Any] = {"image": grey(), "label": [0, 1], **changes}
    return lambda path: write(path, {name: rows for name, rows in content.items() if rows is not None})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), r"no train\*.parquet in .*hf download ylecun/mnist"),
        (lambda path: path.write_bytes(b"PAR1 of sorts"), r"parquet in .* cannot be read \(.*fetch it again"),
        (columns(image=None, picture=grey()), "train split has no column 'image', only label, picture"),
        (columns(label=None), "train split has no column 'label', only image"),
        (columns(image=[1, 2]), "column 'image' of the train split has no images"),
        (columns(image=[grey()[0], {"bytes": None}]), "image 1 of the train split is missing"),
        (columns(image=[{"bytes": b"\x89PNG"}] * 2), "image 0 of the train split is not a whole PNG"),
        (columns(image=[{"bytes": image((28, 28))[:-300]}] * 2), "image 0 .* is not a whole PNG"),
        (columns(image=[{"bytes": image((28, 28), "BMP")}] * 2), "is not a whole PNG"),
        (
            columns(image=[*grey(1), {"bytes": image((28, 28, 3))}]),
            "image 1 .* is RGB 28x28 instead of L 28x28",
        ),
        (columns(image=[{"bytes": image((32, 28))}] * 2), "L 28x32 instead of L 28x28"),
        (columns(label=[0, 10]), "labels from 0 to 10: give 0 to 9"),
        (columns(label=["four", "two"]), "column 'label' of the train split has no whole numbers"),
        (columns(label=[0.5, 1.0]), "no whole numbers"),
        (columns(label=[1, None]), "no whole numbers"),
    ],
)
def test_files_that_are_not_mnist_are_refused(spoil: Spoil, said: str, tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", {"image": grey(), "label": [0, 1]})
    write(tmp_path / "test.parquet", {"image": grey(), "label": [0, 1]})
    spoil(tmp_path / "train.parquet")
    with pytest.raises(ConfigurationError, match=said):
        load_images("mnist", folder=tmp_path)


# ---------------------------------------------------------------- without internet


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no hub: what HF_HUB_CACHE and HF_HUB_OFFLINE say."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def test_without_internet_and_cache_the_error_says_how_to_bring_the_files(name: str, hub_cache: Path) -> None:
    said = r"hub cannot be reached: .*hf download .*/\w+ --repo-type dataset.* or give load_images a folder"
    with pytest.raises(ConfigurationError, match=said):
        load_images(name)


def test_without_internet_the_hubs_cache_serves(hub_cache: Path) -> None:
    """As `hf download ylecun/mnist --repo-type dataset` leaves it."""
    repository, commit = hub_cache / "datasets--ylecun--mnist", "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    for split in ("train", "test"):
        path = repository / "snapshots" / commit / "mnist" / f"{split}-00000-of-00001.parquet"
        write_split(path, pictures(7, 2, (28, 28)), [4, 2], column="image")
    assert MNIST.load().train_labels.tolist() == [4, 2]


@pytest.mark.parametrize("package", ["datasets", "PIL"])
def test_without_the_extra_the_error_names_it(
    package: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None there makes Python's import raise, as where the package is not installed.
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=rf"{name} needs datasets: pip install 'btard\[datasets\]'"):
        load_images(name)


def test_digits_without_scikit_learn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from btard.data.digits import load_digits

    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'btard\[digits\]'"):
        load_digits()
