"""The corpora by name."""

from __future__ import annotations

from btard.data.text.corpus import Corpus
from btard.data.text.python_topics import python_topics
from btard.errors import ConfigurationError


def corpora() -> tuple[str, ...]:
    """Return the names that `load_corpus` takes."""
    return ("python-topics",)


def load_corpus(name: str) -> Corpus:
    """Return the corpus of this name."""
    if name == "python-topics":
        return python_topics()
    raise ConfigurationError(f"there is no text {name!r}: choose one of {', '.join(corpora())}")
