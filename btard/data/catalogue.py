"""The images by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from btard.data.cifar10 import CIFAR10
from btard.data.digits import load_digits
from btard.data.images import Images
from btard.data.mnist import MNIST
from btard.data.patterns import make_patterns
from btard.errors import ConfigurationError

_HUB = {images.name: images for images in (MNIST, CIFAR10)}


def known_images() -> tuple[str, ...]:
    """Return the names that `load_images` takes."""
    return ("digits", *_HUB, "patterns")


def load_images(name: str, folder: str | Path | None = None) -> Images:
    """Return the images of this name, which are read once and shared by the whole process.

    "digits" comes with scikit-learn. "mnist" and "cifar10" are read from the parquet files in `folder`, as
    `hf download ylecun/mnist --repo-type dataset --local-dir FOLDER` fetches them, else from the cache of the
    Hugging Face hub, else from the hub; they need the extra `datasets`. "patterns" are made: of the shape of
    CIFAR-10, to try things out without it.

    Raises ConfigurationError if the name is unknown, or the images are missing or different.
    """
    return _load(name, None if folder is None else Path(folder).expanduser().absolute())


@cache
def _load(name: str, folder: Path | None) -> Images:
    if name in _HUB:
        return _HUB[name].load(folder)
    made = {"digits": load_digits, "patterns": make_patterns}
    if name not in made:
        raise ConfigurationError(f"there are no images {name!r}: choose one of {', '.join(known_images())}")
    if folder is not None:
        raise ConfigurationError(f"{name} come with a package: leave the folder out")
    return made[name]()
