"""TOML files: read within bounds, and found by name if they come with btard."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from btard.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Shipped:
    """The TOML files of one kind that come with btard; `kind` names one of them in errors ("profile").

    A wheel has them in the folder `installed` of the package, a source tree in `source` beside the package.
    """

    kind: str
    installed: str
    source: str

    def names(self) -> tuple[str, ...]:
        """Return their names, sorted."""
        return tuple(sorted(path.stem for path in self._folder().glob("*.toml")))

    def path(self, name: str) -> Path:
        """Return the file of this name. Raises ConfigurationError, with the names that exist."""
        if name not in self.names():
            names = ", ".join(self.names())
            raise ConfigurationError(f"there is no {self.kind} {name!r}: give a file, or one of {names}")
        return self._folder() / f"{name}.toml"

    def find(self, name_or_path: str) -> Path:
        """Return the file at this path, or else the shipped one of this name, with or without ".toml"."""
        path = Path(name_or_path)
        return path if path.is_file() else self.path(name_or_path.removesuffix(".toml"))

    def _folder(self) -> Path:
        package = Path(str(files("btard")))
        installed = package / self.installed
        return installed if installed.is_dir() else package.parent / self.source


def read_text(path: Path, kind: str) -> str:
    """Return the text of a file of at most 1 MiB. Raises ConfigurationError, which calls the file `kind`."""
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(
            f"the {kind} {path} cannot be read ({error.strerror}): give a TOML file"
        ) from None
    if len(data) > BYTES_MAX:
        raise ConfigurationError(f"the {kind} {path} is larger than {BYTES_MAX} bytes: shorten it")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"the {kind} {path} is not text: give a TOML file in UTF-8") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return what TOML text says. Raises ConfigurationError if it is not TOML."""
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of too many digits is no TOMLDecodeError
        raise ConfigurationError(f"it is not TOML: {error}") from None
    return values
