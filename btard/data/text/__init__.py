"""Text for pretraining: documents of sentences, as tokens of a fixed vocabulary, under digests.

load_corpus("python-topics")          # comes with Python, 0.5 MB, tokenised in a second
load_corpus("wikitext-103")           # as `btard prepare-data` left it: a file, mapped into memory
"""

from btard.data.text.catalogue import PYTHON_TOPICS, WIKITEXT, load_corpus, prepared_path
from btard.data.text.corpus import Corpus
from btard.data.text.prepared import read_prepared, write_prepared
from btard.data.text.tokenised import TokenisedText, tokenise
from btard.data.text.vocabulary import Vocabulary

__all__ = [
    "PYTHON_TOPICS",
    "WIKITEXT",
    "Corpus",
    "TokenisedText",
    "Vocabulary",
    "load_corpus",
    "prepared_path",
    "read_prepared",
    "tokenise",
    "write_prepared",
]
