"""CIFAR-10: 50,000 and 10,000 colour photographs of 32x32 pixels (Krizhevsky 2009)."""

from __future__ import annotations

from btard.data.hub import HubImages

CIFAR10 = HubImages(
    name="cifar10",
    repository="uoft-cs/cifar10",
    images="img",
    labels="label",
    shape=(3, 32, 32),
    classes=10,
)
