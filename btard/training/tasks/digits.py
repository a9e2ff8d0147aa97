"""Handwritten digits of scikit-learn: offline, learned in seconds."""

from __future__ import annotations

from functools import partial

from torch import nn

from btard.data import load_images
from btard.data.digits import CLASSES, PIXELS
from btard.training.optimizers import SGD
from btard.training.recipe import Recipe
from btard.training.tasks.classifier import Classifier


def perceptron() -> nn.Module:
    """Return a multilayer perceptron on pixels, 64-256-128-10, 50,826 parameters.

    GELU rather than ReLU, because a gradient without kinks is the same on every machine up to rounding.
    """
    return nn.Sequential(
        nn.Linear(PIXELS, 256), nn.GELU(), nn.Linear(256, 128), nn.GELU(), nn.Linear(128, CLASSES)
    )


def digits(learning_rate: float = 0.1) -> Recipe:
    """Return the recipe of `--task digits`: 97 % of the held-out images within 100 steps of 8 peers."""
    task = Classifier("digits", partial(load_images, "digits"), perceptron)
    sgd = SGD(learning_rate=learning_rate, momentum=0.9, nesterov=True)
    return Recipe(task, batch_size=32, optimizer=sgd, steps=120, tau=0.3, delta_max=3.0)
