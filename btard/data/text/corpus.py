"""A text to train on and a text held out, of one vocabulary."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from btard.crypto import digest
from btard.data.text.tokenised import TokenisedText
from btard.data.text.vocabulary import Vocabulary
from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """`text` is the digest of the documents before they were tokenised, in hexadecimal.

    Raises ConfigurationError if a token is not of the vocabulary."""

    name: str
    train: TokenisedText
    held_out: TokenisedText
    vocabulary: Vocabulary
    text: str

    def __post_init__(self) -> None:
        for part in (self.train, self.held_out):
            if (highest := int(part.tokens.max())) >= self.vocabulary.size:
                raise ConfigurationError(
                    f"{self.name} has a token {highest}, and its vocabulary {self.vocabulary.size} tokens: "
                    "prepare the text again"
                )

    @property
    def tokens_digest(self) -> str:
        """The digest of both texts as tokens, in hexadecimal."""
        return digest("corpus", self.train.digest, self.held_out.digest).hex()

    def fingerprints(self) -> dict[str, str]:
        """Return the digests of text, vocabulary and tokens: a peer with others computes other gradients."""
        return {"text": self.text, "tokens": self.tokens_digest, "vocabulary": self.vocabulary.digest}

    def unigram_entropy(self) -> float:
        """Return the entropy of the distribution of tokens in the text to train on, in nats.

        It is the least loss of a model that guesses a masked token without a look at the tokens around it."""
        counts = np.bincount(self.train.tokens)
        shares = counts[counts > 0] / counts.sum()
        return -math.fsum(float(share) * math.log(float(share)) for share in shares)

    def shares(self) -> npt.NDArray[np.float64]:
        """Return (V,): the share of each token of the vocabulary in the text to train on, every one counted
        once more than it occurs."""
        counts = np.bincount(self.train.tokens, minlength=self.vocabulary.size) + 1
        return counts / int(counts.sum())


def digest_of_documents(documents: Iterable[str]) -> str:
    """Return the digest of documents, in order, in hexadecimal; one at a time is in memory."""
    return digest("text", *(digest("document", document.encode()) for document in documents)).hex()
