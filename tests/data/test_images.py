"""Images are checked before anybody trains on them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from btard.data import Images, load_images
from btard.errors import ConfigurationError


def some() -> Images:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(12, 1, 5, 5, generator=generator)
    labels = torch.arange(12) % 3
    return Images("some", images[:8], labels[:8], images[8:], labels[8:], 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": 1}, "1 classes: give at least 2"),
        ({"classes": 2}, "labels from 0 to 2: give 0 to 1"),
        ({"test_labels": torch.tensor([0, 1, -1, 2])}, "test split of some has labels from -1 to 2"),
        ({"train_labels": torch.zeros(7, dtype=torch.int64)}, r"images \(8, 1, 5, 5\) and labels \(7,\)"),
        ({"train_labels": torch.zeros(8, 1, dtype=torch.int64)}, r"labels \(8, 1\)"),
        ({"train_labels": torch.zeros(8, dtype=torch.int32)}, "int32"),
        ({"test_images": torch.zeros(4, 1, 5, 5, dtype=torch.uint8)}, "uint8"),
        ({"test_images": torch.zeros(4, 1, 5, 6)}, r"tests on \(1, 5, 6\): give both the same shape"),
        ({"test_images": torch.full((4, 1, 5, 5), torch.nan)}, "not finite"),
        ({"test_images": torch.zeros(0, 1, 5, 5), "test_labels": torch.zeros(0).long()}, "N at least 1"),
    ],
)
def test_images_that_cannot_be_are_refused(changes: dict[str, Tensor], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        replace(some(), **changes)  # type: ignore[arg-type]


def test_images_say_the_shape_of_one() -> None:
    assert some().shape == (1, 5, 5)
    assert load_images("digits").shape == (64,)


def test_digits_holds_out_images_that_training_never_draws() -> None:
    data = load_images("digits")
    assert (len(data.train_images), len(data.test_images)) == (1437, 360)
    assert torch.bincount(data.test_labels).min() >= 20
    assert torch.cdist(data.test_images, data.train_images).min() > 0


def test_digits_are_standardised_by_the_training_images_and_blank_pixels_stay_zero() -> None:
    pixels = load_images("digits").train_images.double()
    assert pixels.mean(0).abs().max() < 1e-6
    deviation = pixels.std(0, correction=0)
    assert bool((((deviation - 1).abs() < 1e-6) | (deviation == 0)).all())
    assert int((deviation == 0).sum()) == 3


def test_unknown_images_and_a_folder_of_bundled_ones_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"no images 'dogs': choose one of digits"):
        load_images("dogs")
    with pytest.raises(ConfigurationError, match="leave the folder out"):
        load_images("digits", folder="anywhere")


def test_patterns_are_of_the_shape_of_cifar10_and_can_be_told_apart() -> None:
    data = load_images("patterns")
    assert data.shape == (3, 32, 32)
    assert torch.bincount(data.train_labels).tolist() == [200] * 10
    means = torch.stack([data.train_images[data.train_labels == label].mean(0) for label in range(10)])
    nearest = torch.cdist(data.test_images.flatten(1), means.flatten(1)).argmin(1)
    assert float((nearest == data.test_labels).double().mean()) > 0.99


def test_patterns_are_the_same_bytes_everywhere() -> None:
    assert load_images("patterns").digest.hex()[:16] == "33fa6c9bf34a39e9"
