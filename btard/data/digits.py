"""Handwritten digits: 1,797 images of 8x8 pixels that come with scikit-learn."""

from __future__ import annotations

import numpy as np
import torch

from btard.crypto import Draw
from btard.data.images import Images
from btard.data.standardisation import standardise
from btard.errors import ConfigurationError

CLASSES = 10
PIXELS = 64
TEST_IMAGES = 360
SPLIT_SEED = bytes(32)
"""Public and fixed: all peers must hold out the same images."""


def load_digits() -> Images:
    """Return 1,437 images to train on and 360 held out, (64,) each, standardised pixel by pixel.

    Raises ConfigurationError if scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits as bundled
    except ImportError as error:
        raise ConfigurationError("digits needs scikit-learn: pip install 'btard[digits]'") from error
    pixels, labels = bundled(return_X_y=True)
    order = list(Draw(SPLIT_SEED, "digits split").shuffle(range(len(labels))))
    train, test = order[TEST_IMAGES:], order[:TEST_IMAGES]
    # Some border pixels are the same in all images: they become 0. Values are whole numbers up to 16.
    whole = pixels.astype(np.uint8)
    images, test_images = standardise(whole[train], whole[test])
    targets = torch.from_numpy(labels.astype(np.int64))
    return Images("digits", images, targets[train], test_images, targets[test], CLASSES)
