"""Articles from the Parquet files of WikiText-103 on the Hugging Face hub, or of a folder of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from btard.data.text.corpus import Corpus, digest_of_documents
from btard.data.text.tokenised import tokenise
from btard.data.text.vocabulary import read_tokenizer
from btard.errors import ConfigurationError

REPOSITORY, CONFIGURATION = "Salesforce/wikitext", "wikitext-103-v1"
TOKENIZER_REPOSITORY, TOKENIZER_FILE = "albert/albert-large-v2", "tokenizer.json"

_TITLE = re.compile(r" = [^=].*[^=] = \n?")
"""A heading of the first level begins an article; those of deeper ones, " = = Name = = ", are left out."""


def prepare(name: str, folder: Path | None = None, tokenizer: Path | None = None) -> Corpus:
    """Return the text in train*.parquet and validation*.parquet of a folder, tokenised by a tokenizer.json.

    A row's column `text` is a line of an article, as in WikiText (Merity et al. 2017). Without `folder` it is
    WikiText-103, and without `tokenizer` that of albert-large-v2, each from the hub's cache or the hub.
    Raises ConfigurationError if a library or a file is missing, or is anything else.
    """
    path = tokenizer or _fetch_tokenizer()
    known, vocabulary = read_tokenizer(path / TOKENIZER_FILE if path.is_dir() else path)
    found = folder or _fetch_text()
    files = {split: _files(found, split) for split in ("train", "validation")}
    train, held_out = (tokenise(read_articles(each), known, vocabulary.size) for each in files.values())
    text = digest_of_documents(article for each in files.values() for article in read_articles(each))
    return Corpus(name, train, held_out, vocabulary, text)


def read_articles(files: Sequence[Path]) -> Iterator[str]:
    """Yield the articles of Parquet files in order, paragraphs separated by blank lines, headings left out.

    Raises ConfigurationError for a file that is no Parquet, or without a column `text` of strings."""
    paragraphs: list[str] = []
    for line in _lines(files):
        if _TITLE.fullmatch(line):
            if paragraphs:
                yield "\n\n".join(paragraphs)
            paragraphs = []
        elif line.strip() and not line.startswith(" = "):
            paragraphs.append(line.strip())
    if paragraphs:
        yield "\n\n".join(paragraphs)


def _lines(files: Sequence[Path]) -> Iterator[str]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ConfigurationError("Parquet files need datasets: pip install 'btard[albert]'") from error
    for path in files:
        try:
            for batch in ParquetFile(path).iter_batches(columns=["text"]):
                yield from (text or "" for text in batch.column("text").cast("string").to_pylist())
        except (OSError, KeyError, ArrowException) as error:
            reason = str(error).partition("\n")[0]
            raise ConfigurationError(f"{path} has no column of text ({reason}): fetch it again") from error


def _files(folder: Path, split: str) -> list[Path]:
    files = sorted(folder.rglob(f"{split}*.parquet"))
    if not files:
        raise ConfigurationError(
            f"there is no {split}*.parquet in {folder}: fetch it by `hf download {REPOSITORY} "
            f"--repo-type dataset --include '{CONFIGURATION}/*' --local-dir {folder}`"
        )
    return files


def _fetch_text() -> Path:
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            REPOSITORY, repo_type="dataset", allow_patterns=[f"{CONFIGURATION}/*.parquet"]
        )
    except OSError as error:
        raise ConfigurationError(
            "WikiText-103 is not on this machine and the hub cannot be reached: run `hf download "
            f"{REPOSITORY} --repo-type dataset --include '{CONFIGURATION}/*' --local-dir DIR` with internet, "
            "bring the folder here, and give --parquet DIR"
        ) from error
    return Path(found) / CONFIGURATION


def _fetch_tokenizer() -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(TOKENIZER_REPOSITORY, TOKENIZER_FILE))
    except OSError as error:
        raise ConfigurationError(
            f"the tokenizer of {TOKENIZER_REPOSITORY} is not on this machine and the hub cannot be reached: "
            f"run `hf download {TOKENIZER_REPOSITORY} {TOKENIZER_FILE} --local-dir DIR` with internet, bring "
            "the file here, and give --tokenizer DIR"
        ) from error
