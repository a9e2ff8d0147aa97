"""What `btard prepare-data` does: a text into a file, and what the file holds in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from btard.data.text.articles import prepare
from btard.data.text.catalogue import PYTHON_TOPICS, WIKITEXT, load_corpus, prepared_path
from btard.data.text.corpus import Corpus
from btard.data.text.prepared import read_prepared, write_prepared
from btard.errors import ConfigurationError


def prepare_text(name: str, folder: Path | None = None, tokenizer: Path | None = None) -> Iterator[str]:
    """Tokenise a text as `prepare` does and write it, unless its file is there; yield lines for people.

    A file that is there is read, its digest compared. Raises ConfigurationError if anything is missing or
    damaged, and for a name of one's own without a folder."""
    if name == PYTHON_TOPICS:
        yield f"{name} comes with Python: it is tokenised by every peer that needs it"
        yield from _facts(load_corpus(name))
        return
    path = prepared_path(name)
    if path.exists():
        yield f"{path} is there: delete it to prepare the text again"
        yield from _facts(read_prepared(path))
        return
    if folder is None and name != WIKITEXT:
        raise ConfigurationError(f"{name} is a text of your own: say where it lies, --parquet DIR")
    write_prepared(prepare(name, folder, tokenizer), path)
    yield f"{path} is written"
    yield from _facts(read_prepared(path))


def _facts(corpus: Corpus) -> Iterator[str]:
    for name, text in (("to train on", corpus.train), ("held out", corpus.held_out)):
        documents, sentences, tokens = map(len, (text.document_ends, text.sentence_ends, text.tokens))
        yield f"{name:16} {documents:,} documents, {sentences:,} sentences, {tokens:,} tokens"
    yield f"{'vocabulary':16} {corpus.vocabulary.size:,} tokens"
    yield f"{'unigram entropy':16} {corpus.unigram_entropy():.4f} nats a token"
    for name, value in corpus.fingerprints().items():
        yield f"{'digest of ' + name:20} {value}"
