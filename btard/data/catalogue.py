"""The images that a name stands for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from btard.data.digits import load_digits
from btard.data.images import Images
from btard.errors import ConfigurationError

_BUNDLED: dict[str, Callable[[], Images]] = {"digits": load_digits}


def known_images() -> tuple[str, ...]:
    """The names that `load_images` takes."""
    return tuple(_BUNDLED)


def load_images(name: str, folder: str | Path | None = None) -> Images:
    """The images of this name: read once, and shared from then on by all of the process.

    Raises ConfigurationError for an unknown name, and where the images cannot be had.
    """
    return _load(name, None if folder is None else Path(folder).expanduser().absolute())


@cache
def _load(name: str, folder: Path | None) -> Images:
    if name not in known_images():
        raise ConfigurationError(f"there are no images {name!r}: choose one of {', '.join(known_images())}")
    if folder is not None:
        raise ConfigurationError(f"{name} comes with a package: leave the folder out")
    return _BUNDLED[name]()
