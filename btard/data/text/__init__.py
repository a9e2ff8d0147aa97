"""Text for pretraining: documents of sentences, as tokens of a fixed vocabulary, under digests.

python_topics()                       # comes with Python, 0.5 MB, tokenised in a second
load_prepared("wikitext-103")         # as `btard prepare-data` left it: memory-mapped, its digest checked
"""

from btard.data.text.catalogue import corpora, load_corpus
from btard.data.text.corpus import Corpus
from btard.data.text.tokenised import TokenisedText
from btard.data.text.vocabulary import Vocabulary

__all__ = ["Corpus", "TokenisedText", "Vocabulary", "corpora", "load_corpus"]
