"""A text as arrays: tokens, and where sentences and documents end."""

from __future__ import annotations

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

    `tokens` (T,) are unsigned, 16 bits or 32; sentence k has those before `sentence_ends[k]` (S,) from the end of
    the one before it, document k the sentences before `document_ends[k]` (D,) likewise. None is empty.
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
        return digest("tokenised text", kinds.encode(), *(np.ascontiguousarray(a).view(np.uint8).data for a in arrays))


def tokenise(documents: Iterable[str], tokenizer: Tokenizer, vocabulary_size: int) -> TokenisedText:
    """Return the tokens of documents, split into sentences. Sentences and documents without any are left out.

    Raises ConfigurationError if nothing is left."""
    kind = np.dtype("<u2" if vocabulary_size <= 1 << 16 else "<u4")
    pieces: list[npt.NDArray[Any]] = []
    sentence_ends: list[int] = []
    document_ends: list[int] = []
    count = 0
    for sentences in map(split_sentences, documents):
        before = len(sentence_ends)
        for start in range(0, len(sentences), TOKENISED_AT_ONCE):
            batch = tokenizer.encode_batch(sentences[start : start + TOKENISED_AT_ONCE], add_special_tokens=False)
            for encoded in batch:
                if encoded.ids:
                    pieces.append(np.array(encoded.ids, kind))
                    count += len(encoded.ids)
                    sentence_ends.append(count)
        if len(sentence_ends) > before:
            document_ends.append(len(sentence_ends))
    if not pieces:
        raise ConfigurationError("the text has no words: give another one")
    return TokenisedText(
        np.concatenate(pieces), np.array(sentence_ends, "<i8"), np.array(document_ends, "<i8")
    )
