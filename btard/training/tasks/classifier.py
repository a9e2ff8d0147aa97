"""Classification of images: a task made of images and a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from btard.crypto import Draw
from btard.data import Images
from btard.training.initialisation import initialise_by_fan_in
from btard.training.tasks.calibration import calibrate

CALIBRATED_ON = 2000
"""Training images that running statistics are taken of."""

EVALUATED_AT_ONCE = 400
"""Images in one pass: a ResNet-18 on 32x32 pixels then holds some 0.3 GB of activations, not 8."""

Augmentation = Callable[[Tensor, bytes], Tensor]
"""(images (B, *shape), seed) -> images of the same shape: a pure function, as all of a task."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """Learns the labels of `images` with the network that `model` makes, by cross-entropy.

    `images` is asked each time and should remember its answer, as `partial(load_images, "digits")` does.
    The first parameters come from the seed by `initialise_by_fan_in`. `augmentation`, if there is one, alters
    every batch of training images on the CPU, by the batch's seed.

    For the laboratory, which takes the gradients of many workers by `torch.func` (vmap over grad), the
    network must have no running statistics, no buffers changed in place, and no branches on its input.
    """

    name: str
    images: Callable[[], Images]
    model: Callable[[], nn.Module]
    augmentation: Augmentation | None = None

    @property
    def data(self) -> Images:
        """The images, loaded when they are first asked for."""
        return self.images()

    def build(self, seed: bytes) -> nn.Module:
        """Return the untrained network of `seed`, float32, on the CPU: the same bytes on every platform."""
        # torch draws first parameters of its own, which should not advance the caller's generator.
        with torch.random.fork_rng(devices=[]):
            model = self.model()
        initialise_by_fan_in(model, seed, self.name)
        return model

    def fingerprints(self) -> dict[str, str]:
        """Return the digest of the images and their labels."""
        return {"images": self.data.digest.hex()}

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        """Return the mean cross-entropy of `batch_size` training images, drawn with replacement."""
        data = self.data
        draw = Draw(seed, f"{self.name} batch")
        indices = torch.tensor([draw.below(len(data.train_labels)) for _ in range(batch_size)])
        images, labels = data.train_images[indices], data.train_labels[indices]
        if self.augmentation is not None:
            images = self.augmentation(images, seed)
        device = next(model.parameters()).device
        return functional.cross_entropy(model(images.to(device)), labels.to(device))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean cross-entropy and accuracy on the held-out images, a few hundred at a time.

        Running statistics, if the network has any, are made for it from the first training images."""
        data = self.data
        calibrate(model, data.train_images[:CALIBRATED_ON], EVALUATED_AT_ONCE)
        device = next(model.parameters()).device
        with torch.no_grad():
            chunks = torch.split(data.test_images, EVALUATED_AT_ONCE)
            logits = torch.cat([model(chunk.to(device)).cpu() for chunk in chunks])
        return {
            "loss": float(functional.cross_entropy(logits, data.test_labels)),
            "accuracy": float((logits.argmax(1) == data.test_labels).double().mean()),
        }
