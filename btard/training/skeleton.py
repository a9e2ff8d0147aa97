"""The module that a new task begins as."""

from __future__ import annotations

import keyword
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from btard.errors import ConfigurationError, cannot_write

_NAME = "NAME"


def write_task(name: str, folder: Path) -> Path:
    """Write a task that trains as it is to `folder`/NAME.py, and return that path.

    Raises ConfigurationError if the name is none of a module, or that of one that exists, if the file exists,
    and if it cannot be written.
    """
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name) or name.startswith("_"):
        raise ConfigurationError(f"name is {name[:100]!r}: use letters, digits and _, as in my_task")
    path = folder / f"{name}.py"
    if path.exists():
        raise ConfigurationError(f"{path} exists: choose another name, or another --dir")
    if find_spec(name) is not None:
        raise ConfigurationError(f"name is {name!r}, a module that exists: choose another name")
    text = (files("btard.training") / "skeleton.txt").read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(_NAME, name), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(cannot_write(path, error, "--dir")) from None
    return path
