"""Texts as arrays, and vocabularies."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from btard.data.text import PYTHON_TOPICS, Corpus, TokenisedText, Vocabulary, load_corpus, tokenise
from btard.data.text.vocabulary import read_tokenizer, wordpieces
from btard.errors import ConfigurationError
from tests.data.text.texts import VOCABULARY, corpus, text


def test_tokens_of_sentences_of_documents_are_found_again() -> None:
    tokenizer, vocabulary = wordpieces()
    documents = ["The first statement. It returns a value.", " \n ", "A class."]
    found = tokenise(documents, tokenizer, vocabulary.size)
    assert found.document_ends.tolist() == [2, 3]
    starts = [0, *found.sentence_ends.tolist()]
    sentences = [tokenizer.decode(found.tokens[a:b].tolist()) for a, b in pairwise(starts)]
    plain = [sentence.replace(" ", "").replace("##", "") for sentence in sentences]
    assert plain == ["thefirststatement.", "itreturnsavalue.", "aclass."]
    with pytest.raises(ConfigurationError, match="no words"):
        tokenise([" "], tokenizer, vocabulary.size)


@pytest.mark.parametrize(
    ("tokens", "sentences", "documents"),
    [
        (np.zeros(3, "<i8"), [3], [1]),
        (np.zeros((3, 1), "<u2"), [3], [1]),
        (np.zeros(3, "<u2"), [2], [1]),
        (np.zeros(3, "<u2"), [0, 3], [2]),
        (np.zeros(3, "<u2"), [2, 2, 3], [3]),
        (np.zeros(3, "<u2"), [], [1]),
        (np.zeros(3, "<u2"), [1, 3], [1]),
    ],
)
def test_arrays_that_are_no_text_are_refused(
    tokens: np.ndarray, sentences: list[int], documents: list[int]
) -> None:
    with pytest.raises(ConfigurationError):
        TokenisedText(tokens, np.array(sentences, "<i8"), np.array(documents, "<i8"))


def test_a_token_beyond_the_vocabulary_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a token 99"):
        Corpus("small", text([90, 90]), text([2, 2]), Vocabulary(99, 0, 1, 2, 3, ""), "")


def test_special_tokens_that_are_missing_or_equal_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="special tokens"):
        Vocabulary(10, 0, 1, 1, 2, "")
    with pytest.raises(ConfigurationError, match="special tokens"):
        Vocabulary(3, 0, 1, 2, 3, "")
    (tmp_path / "pieces.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    with pytest.raises(ConfigurationError, match=r"no token \[MASK\]"):
        wordpieces(tmp_path / "pieces.txt")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="is not a tokenizer"):
        read_tokenizer(tmp_path / "tokenizer.json")


def test_one_byte_of_the_vocabulary_changes_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "pieces.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n")
    before = wordpieces(path)[1].digest
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nc\n")
    assert wordpieces(path)[1].digest != before


def test_every_array_counts_in_the_digest_of_a_text() -> None:
    digests = {text(*documents).digest for documents in ([[4, 5]], [[5, 4]], [[4], [5]], [[9]], [[4, 6]])}
    assert len(digests) == 5
    assert corpus().fingerprints() == corpus().fingerprints()


def test_unigram_entropy_is_that_of_the_shares_of_tokens() -> None:
    tokens = np.array([5, 5, 7, 9], "<u2")
    small = TokenisedText(tokens, np.array([4], "<i8"), np.array([1], "<i8"))
    found = Corpus("small", small, small, VOCABULARY, "").unigram_entropy()
    assert found == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(4))


def test_the_text_that_comes_with_python_is_the_same_in_another_process() -> None:
    """`tokenizers` trains another vocabulary in each process; the shipped one is a file."""
    script = "from btard.data.text import load_corpus; print(load_corpus('python-topics').fingerprints())"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    found = load_corpus(PYTHON_TOPICS)
    assert done.stdout.strip() == str(found.fingerprints())
    assert len(found.train.tokens) > 100_000
    assert len(found.train.document_ends) > 8 * len(found.held_out.document_ends)
