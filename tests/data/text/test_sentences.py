"""Text into sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.data.text.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" \n\n ", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It cost 3.5 euros. 12 came.", ["It cost 3.5 euros.", "12 came."]),
        ('He said "no." She left.', ['He said "no."', "She left."]),
        ("see e.g. the list", ["see e.g. the list"]),
        ("A heading\n\nand a text\nin two lines. Then", ["A heading", "and a text in two lines.", "Then"]),
        ("wiki text . It is spaced .", ["wiki text .", "It is spaced ."]),
    ],
)
def test_a_text_is_split_behind_full_stops_and_at_blank_lines(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(st.text(alphabet="aA .!?\n\"'(9", max_size=60))
def test_no_word_is_lost_or_moved(text: str) -> None:
    sentences = split_sentences(text)
    assert " ".join(sentences).split() == text.split()
    assert all(sentence == sentence.strip() != "" for sentence in sentences)
