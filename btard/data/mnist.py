"""MNIST: 60,000 and 10,000 handwritten digits of 28x28 pixels (LeCun, Bottou, Bengio, Haffner 1998)."""

from __future__ import annotations

from btard.data.hub import HubImages

MNIST = HubImages(
    name="mnist", repository="ylecun/mnist", images="image", labels="label", shape=(1, 28, 28), classes=10
)
