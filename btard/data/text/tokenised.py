"""A text as arrays: tokens, and where sentences and documents end."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from btard.crypto import digest
from btard.data.text.sentences import split_sentences
from btard.errors import ConfigurationError
from btard.types import Digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ends = npt.NDArray[np.int64]

TOKENISED_AT_ONCE = 10_000
"""Sentences given to the tokenizer in one call, which spreads them over its threads."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenisedText:
    """Documents of sentences of tokens. The arrays are shared, and may lie in a file: never change them.

    `tokens` (T,) are unsigned, 16 bits or 32; sentence k has those before `sentence_ends[k]` (S,) from the
    end of the one before it, document k the sentences before `document_ends[k]` (D,) likewise. None is empty.
    Raises ConfigurationError if the arrays are anything else.
    """

    tokens: npt.NDArray[Any]
    sentence_ends: Ends
    document_ends: Ends

    def __post_init__(self) -> None:
        if self.tokens.dtype not in (np.dtype("<u2"), np.dtype("<u4")) or self.tokens.ndim != 1:
            raise ConfigurationError(f"tokens are {self.tokens.dtype}: give a row of unsigned 16 or 32 bits")
        whole = len(self.tokens)
        for name, ends in (("sentence_ends", self.sentence_ends), ("document_ends", self.document_ends)):
            good = ends.dtype == np.dtype("<i8") and ends.ndim == 1 and len(ends) > 0
            if not good or ends[0] < 1 or ends[-1] != whole or not bool((np.diff(ends) > 0).all()):
                raise ConfigurationError(f"{name} do not divide {whole} pieces: prepare the text again")
            whole = len(ends)

    @property
    def digest(self) -> Digest:
        """The digest of all three arrays."""
        arrays = (self.tokens, self.sentence_ends, self.document_ends)
        kinds = " ".join(f"{array.dtype.str} {len(array)}" for array in arrays)
        raw = (np.ascontiguousarray(array).view(np.uint8).data for array in arrays)
        return digest("tokenised text", kinds.encode(), *raw)


def tokenise(documents: Iterable[str], tokenizer: Tokenizer, vocabulary_size: int) -> TokenisedText:
    """Return the tokens of documents, split into sentences. Sentences and documents without any are left out.

    Raises ConfigurationError if nothing is left."""
    # Typed arrays that grow: a hundred million tokens as Python's numbers would take gigabytes.
    tokens, kind = (array("H"), "<u2") if vocabulary_size <= 1 << 16 else (array("I"), "<u4")
    sentence_ends, document_ends = array("q"), array("q")
    for sentences in map(split_sentences, documents):
        before = len(sentence_ends)
        for start in range(0, len(sentences), TOKENISED_AT_ONCE):
            batch = sentences[start : start + TOKENISED_AT_ONCE]
            for encoded in tokenizer.encode_batch(batch, add_special_tokens=False):
                if encoded.ids:
                    tokens.extend(encoded.ids)
                    sentence_ends.append(len(tokens))
        if len(sentence_ends) > before:
            document_ends.append(len(sentence_ends))
    if not tokens:
        raise ConfigurationError("the text has no words: give another one")
    ends = (np.array(each, "<i8") for each in (sentence_ends, document_ends))
    return TokenisedText(np.array(tokens, kind), *ends)
