"""The language reference that comes with Python, as a small text to train on without a network."""

from __future__ import annotations

from functools import cache

from btard.crypto import Draw
from btard.data.text.corpus import Corpus, digest_of_documents
from btard.data.text.tokenised import tokenise
from btard.data.text.vocabulary import wordpieces

HELD_OUT = 8
"""Documents of the text that are evaluated on, a tenth of them."""

SPLIT_SEED = bytes(32)


@cache
def python_topics() -> Corpus:
    """Return the topics of `help()` (`pydoc_data.topics`), some 80 documents and 0.46 MB, tokenised by the shipped
    vocabulary.

    Another version of Python has another text. Peers with unlike ones do not share a run: the digest of the text
    says so. Raises ConfigurationError if `tokenizers` is missing."""
    from pydoc_data.topics import topics

    tokenizer, vocabulary = wordpieces()
    documents = [text for _, text in sorted(topics.items())]
    order = Draw(SPLIT_SEED, "python topics split").shuffle(range(len(documents)))
    held_out, train = sorted(order[:HELD_OUT]), sorted(order[HELD_OUT:])
    return Corpus(
        "python-topics",
        tokenise((documents[index] for index in train), tokenizer, vocabulary.size),
        tokenise((documents[index] for index in held_out), tokenizer, vocabulary.size),
        vocabulary,
        digest_of_documents(documents),
    )
