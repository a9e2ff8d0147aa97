"""CIFAR-10, as in the experiments of BTARD."""

from __future__ import annotations

from functools import partial

from btard.data import load_images
from btard.training.optimizers import SGD, WarmupCosine
from btard.training.recipe import Recipe
from btard.training.tasks.augmentation import crop_and_flip
from btard.training.tasks.classifier import Classifier
from btard.training.tasks.resnet import resnet18

STEPS = 25_000
"""Of 16 peers: 64 times the training images."""


def cifar10(steps: int = STEPS, norm: str = "group") -> Recipe:
    """Return the recipe of `--task cifar10`: batch, optimizer and tau of Gorbunov et al. 2022, for 16 peers.

    The learning rate falls along a cosine that ends with the run's `steps`. `norm` is that of `resnet18`.
    Their tau is 1 or 10 for each of 16 parts; 1, which is 4 of the whole gradient, holds attackers more. They
    publish no Delta_max. One gradient takes about a second on a CPU core: train it on GPUs. The accuracy that
    it reaches is not yet measured.
    """
    return _recipe("cifar10", "cifar10", steps, norm)


def cifar10_patterns(steps: int = 200, norm: str = "group") -> Recipe:
    """Return the same recipe on made images of the same shape: `--task cifar10-patterns`, to try it out."""
    return _recipe("cifar10-patterns", "patterns", steps, norm)


def _recipe(name: str, images: str, steps: int, norm: str) -> Recipe:
    model = partial(resnet18, norm)
    task = Classifier(name, partial(load_images, images), model, augmentation=crop_and_flip)
    cosine = WarmupCosine(total=steps)
    sgd = SGD(learning_rate=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4, schedule=cosine)
    return Recipe(task, batch_size=8, optimizer=sgd, steps=steps, tau=4.0, delta_max=200.0)
