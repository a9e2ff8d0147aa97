"""Small texts: a corpus by hand, and Parquet files as those of WikiText."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from btard.data.text import Corpus, TokenisedText, Vocabulary
from btard.data.text.vocabulary import wordpieces

VOCABULARY = Vocabulary(size=100, pad=0, cls=1, sep=2, mask=3, digest="00" * 32)

LINES = (
    "",
    " = First article = \n",
    " The fox is red . It runs to the hill . \n",
    " = = A part of it = = \n",
    " Nobody saw it . \n",
    " = Second article = \n",
    " Another story . It has an end . \n",
)


def text(*documents: Sequence[int]) -> TokenisedText:
    """A text whose documents have sentences of these lengths; its tokens are counted from 10, modulo 90."""
    lengths = [length for document in documents for length in document]
    count = sum(lengths)
    tokens = (10 + np.arange(count) % 90).astype("<u2")
    ends = np.cumsum([len(document) for document in documents]).astype("<i8")
    return TokenisedText(tokens, np.cumsum(lengths).astype("<i8"), ends)


def corpus() -> Corpus:
    """Two small texts of one vocabulary."""
    return Corpus("small", text([4, 5, 6], [7, 3]), text([5, 5]), VOCABULARY, "11" * 32)


def write_parquet(folder: Path, lines: Sequence[str] = LINES) -> Path:
    """Write the lines as both splits of a text, and a tokenizer beside them; return the folder."""
    folder.mkdir(exist_ok=True)
    table = pyarrow.table({"text": list(lines)})
    for split in ("train", "validation"):
        pyarrow.parquet.write_table(table, folder / f"{split}-00000-of-00001.parquet")
    wordpieces()[0].save(str(folder / "tokenizer.json"))
    return folder
