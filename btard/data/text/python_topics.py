"""The language reference that comes with Python, as a small text to train on without a network."""

from __future__ import annotations

from functools import cache

from btard.crypto import Draw
from btard.data.text.corpus import Corpus, digest_of_documents
from btard.data.text.tokenised import tokenise
from btard.data.text.vocabulary import wordpieces

PARAGRAPHS = 6
"""Of a document: a topic is cut into so many at a time, so that the held-out tenth is of the same topics."""

HELD_OUT = 10
"""One document of so many is evaluated on."""

SPLIT_SEED = bytes(32)


@cache
def python_topics() -> Corpus:
    """Return the topics of `help()` (`pydoc_data.topics`), 0.46 MB, tokenised by the shipped vocabulary.

    Another version of Python has another text. Peers with unlike ones do not share a run: the digest of the
    text says so. Raises ConfigurationError if `tokenizers` is missing."""
    from pydoc_data.topics import topics

    tokenizer, vocabulary = wordpieces()
    documents = [document for _, topic in sorted(topics.items()) for document in _cut(topic)]
    order = Draw(SPLIT_SEED, "python topics split").shuffle(range(len(documents)))
    count = len(documents) // HELD_OUT
    held_out, train = sorted(order[:count]), sorted(order[count:])
    return Corpus(
        "python-topics",
        tokenise((documents[index] for index in train), tokenizer, vocabulary.size),
        tokenise((documents[index] for index in held_out), tokenizer, vocabulary.size),
        vocabulary,
        digest_of_documents(documents),
    )


def _cut(topic: str) -> list[str]:
    paragraphs = topic.split("\n\n")
    return [
        "\n\n".join(paragraphs[start : start + PARAGRAPHS]) for start in range(0, len(paragraphs), PARAGRAPHS)
    ]
