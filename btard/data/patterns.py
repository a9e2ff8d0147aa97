"""Images of the shape of CIFAR-10 from a public seed: for machines without the real ones."""

from __future__ import annotations

import numpy as np
import torch

from btard.crypto import keystream
from btard.data.images import Images
from btard.data.standardisation import standardise

SHAPE = (3, 32, 32)
CLASSES = 10
TRAIN, TEST = 2000, 400
COARSE = 4
"""Pixels of a class's pattern in each direction: it is drawn coarse, and enlarged."""

SEED = bytes(32)


def make_patterns() -> Images:
    """Return 2,000 images to train on and 400 held out of ten classes, (3, 32, 32) each, standardised.

    Every class is a coarse random pattern; an image is its class's pattern plus noise of twice its range, all
    from the keystream: the same bytes everywhere. Nothing that is learned on them says anything about
    photographs.
    """
    count = TRAIN + TEST
    channels, height, width = SHAPE
    coarse = np.frombuffer(keystream(SEED, "patterns", CLASSES * channels * COARSE * COARSE), np.uint8)
    large = np.kron(
        coarse.reshape(CLASSES, channels, COARSE, COARSE),
        np.ones((height // COARSE, width // COARSE), np.uint8),
    )
    labels = np.arange(count) % CLASSES
    noise = np.frombuffer(keystream(SEED, "pattern noise", count * channels * height * width), np.uint8)
    mixed = large[labels].astype(np.uint16) + 2 * noise.reshape(count, *SHAPE).astype(np.uint16)
    pixels = (mixed // 3).astype(np.uint8)
    images, test_images = standardise(pixels[:TRAIN], pixels[TRAIN:])
    targets = torch.from_numpy(labels.astype(np.int64))
    return Images("patterns", images, targets[:TRAIN], test_images, targets[TRAIN:], CLASSES)
