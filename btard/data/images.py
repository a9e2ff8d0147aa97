"""A set of labelled images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.types import Digest


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images to train on and images held out, on the CPU. They are shared: never change them.

    `train_images` (N, *shape) and `test_images` (M, *shape) are float32, standardised by the training
    images' mean and deviation; `train_labels` (N,) and `test_labels` (M,) are int64 in [0, `classes`).
    Raises ConfigurationError if they are anything else.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: int

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise ConfigurationError(f"{self.name} has {self.classes} classes: give at least 2")
        self._check("train", self.train_images, self.train_labels)
        self._check("test", self.test_images, self.test_labels)
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise ConfigurationError(
                f"{self.name} trains on images of shape {self.shape} and tests on"
                f" {tuple(self.test_images.shape[1:])}: give both the same shape"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image: (64,) of digits, (channels, height, width) of others."""
        return tuple(self.train_images.shape[1:])

    @property
    def digest(self) -> Digest:
        """The digest of all images and labels, as the model is given them; computed once."""
        return _digest(self)

    def _check(self, split: str, images: Tensor, labels: Tensor) -> None:
        """Raise ConfigurationError unless the split is as the class says."""
        what = f"the {split} split of {self.name}"
        if images.dtype != torch.float32 or labels.dtype != torch.int64:
            raise ConfigurationError(
                f"{what} has images of {images.dtype} and labels of {labels.dtype}: give float32 and int64"
            )
        if images.dim() < 2 or labels.shape != images.shape[:1] or not images.numel():
            raise ConfigurationError(
                f"{what} has images {tuple(images.shape)} and labels {tuple(labels.shape)}:"
                " give (N, *shape) and (N,), N at least 1"
            )
        if not bool(torch.isfinite(images).all()):
            raise ConfigurationError(f"{what} has pixels that are not finite: give finite ones")
        low, high = (int(bound) for bound in labels.aminmax())
        if low < 0 or high >= self.classes:
            raise ConfigurationError(
                f"{what} has labels from {low} to {high}:"
                f" give 0 to {self.classes - 1} for {self.classes} classes"
            )


@cache
def _digest(images: Images) -> Digest:
    tensors = (images.train_images, images.train_labels, images.test_images, images.test_labels)
    arrays = [tensor.contiguous().numpy() for tensor in tensors]
    shapes = " ".join(str(array.shape) for array in arrays)
    return digest("images", shapes.encode(), *(array.reshape(-1).view(np.uint8).data for array in arrays))
