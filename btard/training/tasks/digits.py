"""Handwritten digits: 1,797 images of 8x8 pixels from scikit-learn, offline, learned in seconds."""

from __future__ import annotations

import math
from functools import cached_property, partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from btard.crypto import Draw, keystream
from btard.errors import ConfigurationError
from btard.training.recipe import Recipe
from btard.training.task import Evaluation

CLASSES = 10
PIXELS = 64
HIDDEN = (256, 128)
TEST_IMAGES = 360
SPLIT_SEED = bytes(32)
"""Public and fixed: everyone must hold out the same images."""


class Digits:
    """A multilayer perceptron (64-256-128-10, GELU, 50,826 parameters) on standardised pixels.

    1,437 images train, 360 are held out. GELU rather than ReLU, because a gradient without kinks is
    the same on every machine up to rounding.
    """

    name = "digits"

    def build(self, seed: bytes) -> nn.Module:
        """Uniform in +-1/sqrt(fan in), from the keystream of `seed`: the same bytes on every platform."""
        layers: list[nn.Module] = []
        widths = (PIXELS, *HIDDEN, CLASSES)
        for index, (fan_in, fan_out) in enumerate(pairwise(widths)):
            linear = nn.Linear(fan_in, fan_out)
            with torch.no_grad():
                for name, parameter in linear.named_parameters():
                    uniform = _uniform(seed, f"digits {index} {name}", parameter.numel())
                    parameter.copy_((uniform / math.sqrt(fan_in)).view_as(parameter))
            layers += [linear, nn.GELU()]
        return nn.Sequential(*layers[:-1])

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        """Cross-entropy of `batch_size` training images, drawn with replacement."""
        images, labels, _, _ = self._data
        draw = Draw(seed, "digits batch")
        indices = torch.tensor([draw.below(len(labels)) for _ in range(batch_size)])
        device = next(model.parameters()).device
        return functional.cross_entropy(model(images[indices].to(device)), labels[indices].to(device))

    def evaluate(self, model: nn.Module) -> Evaluation:
        """Mean cross-entropy and accuracy on the held-out images."""
        _, _, images, labels = self._data
        device = next(model.parameters()).device
        logits = model(images.to(device)).cpu()
        accuracy = (logits.argmax(1) == labels).double().mean()
        return Evaluation(float(functional.cross_entropy(logits, labels)), float(accuracy))

    @cached_property
    def _data(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise ConfigurationError("digits needs scikit-learn: pip install 'btard[digits]'") from error
        pixels, labels = load_digits(return_X_y=True)
        order = list(Draw(SPLIT_SEED, "digits split").shuffle(range(len(labels))))
        train, test = order[TEST_IMAGES:], order[:TEST_IMAGES]
        # Some border pixels are the same in all images: their deviation is 0, and they stay at 0.
        mean, deviation = pixels[train].mean(0), pixels[train].std(0)
        images = torch.from_numpy(
            ((pixels - mean) / np.where(deviation > 0, deviation, 1)).astype(np.float32)
        )
        targets = torch.from_numpy(labels.astype(np.int64))
        return images[train], targets[train], images[test], targets[test]


def _uniform(seed: bytes, domain: str, count: int) -> Tensor:
    """`count` float32 in [-1, 1), multiples of 2^-23: exact, so alike everywhere."""
    words = np.frombuffer(keystream(seed, domain, 4 * count), dtype="<u4")
    return torch.from_numpy((words >> 8).astype(np.float32)) / 2**23 - 1


def digits() -> Recipe:
    """What `--task digits` stands for: 97 % of the held-out images within 100 steps of 8 peers."""
    sgd = partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True)
    # |g_i(j) - v(j)| is 0.02 to 0.35 here, over a whole run of 8 or 16 peers.
    return Recipe(Digits(), batch_size=32, optimizer=sgd, steps=120, tau=0.1, delta_max=1.0)
