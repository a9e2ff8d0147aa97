"""What `btard prepare-data` does: a text into a file, and what the file holds in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from btard.data.text.articles import prepare
from btard.data.text.catalogue import PYTHON_TOPICS, WIKITEXT, load_corpus, prepared_path
from btard.data.text.corpus import Corpus
from btard.data.text.prepared import read_prepared, write_prepared
from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text that is ready: its file, None if it has none, and whether that was made just now."""

    corpus: Corpus
    path: Path | None
    made: bool

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON holds."""
        train, held_out = (
            dict(zip(("documents", "sentences", "tokens"), map(len, arrays), strict=True))
            for arrays in (
                (text.document_ends, text.sentence_ends, text.tokens)
                for text in (self.corpus.train, self.corpus.held_out)
            )
        )
        return {
            "name": self.corpus.name,
            "path": None if self.path is None else str(self.path),
            "made": self.made,
            "train": train,
            "held_out": held_out,
            "vocabulary_size": self.corpus.vocabulary.size,
            "unigram_entropy": self.corpus.unigram_entropy(),
            "digests": self.corpus.fingerprints(),
        }

    def lines(self) -> Iterator[str]:
        """Yield the same for people."""
        facts = self.to_dict()
        if self.path is None:
            yield f"{self.corpus.name} comes with Python: each peer that needs it tokenises it"
        else:
            yield f"{self.path} is {'written' if self.made else 'there: delete it to prepare the text again'}"
        for title, key in (("to train on", "train"), ("held out", "held_out")):
            counted = ", ".join(f"{count:,} {what}" for what, count in facts[key].items())
            yield f"{title:21}{counted}"
        yield f"{'vocabulary':21}{facts['vocabulary_size']:,} tokens"
        yield f"{'unigram entropy':21}{facts['unigram_entropy']:.4f} nats a token"
        for name, value in facts["digests"].items():
            yield f"{'digest of ' + name:21}{value}"


def prepare_text(name: str, folder: Path | None = None, tokenizer: Path | None = None) -> Prepared:
    """Tokenise a text as `prepare` does and write it, unless its file is there; return what it is.

    A file that is there is read, its digest compared. Raises ConfigurationError if anything is missing or
    damaged, and for a name of one's own without a folder."""
    if name == PYTHON_TOPICS:
        return Prepared(load_corpus(name), None, made=False)
    path = prepared_path(name)
    made = not path.exists()
    if made:
        if folder is None and name != WIKITEXT:
            raise ConfigurationError(f"{name} is a text of your own: say where it lies, --parquet DIR")
        write_prepared(prepare(name, folder, tokenizer), path)
    return Prepared(read_prepared(path), path, made)
