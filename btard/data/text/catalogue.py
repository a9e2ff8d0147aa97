"""The corpora by name: one that comes with Python, and those that were prepared on this machine."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from btard.data.text.corpus import Corpus
from btard.data.text.prepared import read_prepared
from btard.data.text.python_topics import python_topics
from btard.errors import ConfigurationError

PYTHON_TOPICS = "python-topics"
WIKITEXT = "wikitext-103"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def prepared_path(name: str) -> Path:
    """Return where a prepared text lies: in the folder that BTARD_DATA names, else in ~/.cache/btard.

    Raises ConfigurationError for what is no name: a run's description may name a text, never a path."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is not the name of a text: use small letters, digits and dashes")
    folder = os.environ.get("BTARD_DATA")
    base = Path(folder) if folder else Path.home() / ".cache" / "btard"
    return base / f"{name}.safetensors"


def load_corpus(name: str) -> Corpus:
    """Return a corpus: "python-topics", or one that `btard prepare-data` left. It is read once in a process.

    Raises ConfigurationError if there is none of this name, or its file is damaged."""
    return python_topics() if name == PYTHON_TOPICS else _load(prepared_path(name))


@cache
def _load(path: Path) -> Corpus:
    if not path.is_file():
        raise ConfigurationError(
            f"there is no text {path.stem!r} on this machine ({path}): run btard prepare-data {path.stem}, "
            f"or use {PYTHON_TOPICS}"
        )
    return read_prepared(path)
