"""The specs that come with btard, found by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from btard.errors import ConfigurationError


def shipped_names() -> tuple[str, ...]:
    """The names of the specs that come with btard, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def find_spec(name_or_path: str) -> Path:
    """The file at a path, or where none is there, the shipped spec of that name, with or without ".toml".

    Raises ConfigurationError, naming those that there are.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    name = name_or_path.removesuffix(".toml")
    if name not in shipped_names():
        raise ConfigurationError(
            f"there is no spec {name_or_path}: give a file, or one of {', '.join(shipped_names())}"
        )
    return _folder() / f"{name}.toml"


def _folder() -> Path:
    """`btard/arena/specs` of an installed wheel, `examples/arena` of a source tree."""
    package = Path(str(files("btard")))
    installed = package / "arena" / "specs"
    return installed if installed.is_dir() else package.parent / "examples" / "arena"
