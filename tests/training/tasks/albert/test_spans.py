"""Texts cut into spans, and pairs of segments drawn from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import Draw
from btard.errors import ConfigurationError
from btard.training.tasks.albert.spans import LENGTH_MIN, SPECIAL_TOKENS, Spans, cut_into_spans
from tests.data.text.texts import text

DOCUMENTS = st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=8), min_size=1, max_size=5)


def pieces(spans: Spans, index: int) -> list[int]:
    """The ends of the sentences of a span, and its begin first."""
    first, last = int(spans.first[index]), int(spans.last[index])
    return [int(spans.ends[first - 1]) if first else 0, *spans.ends[first:last].tolist()]


@given(documents=DOCUMENTS, length=st.integers(LENGTH_MIN, 30))
def test_spans_fit_lie_within_a_document_and_are_as_long_as_can_be(
    documents: list[list[int]], length: int
) -> None:
    whole = text(*documents)
    room = length - SPECIAL_TOKENS
    try:
        spans = cut_into_spans(whole, length)
    except ConfigurationError:
        assert all(len(document) == 1 and document[0] <= room // 2 for document in documents)
        return
    document_ends = whole.sentence_ends[whole.document_ends - 1].tolist()
    for index in range(len(spans)):
        begin, *ends = pieces(spans, index)
        assert len(ends) >= 2
        assert ends[-1] - begin <= room
        assert not any(begin < end < ends[-1] for end in document_ends)
        assert all(0 < b - a <= room // 2 for a, b in zip([begin, *ends], ends, strict=False))
        if ends[-1] not in document_ends:
            following = int(spans.ends[int(spans.last[index])])
            assert following - begin > room
    # Only a document's last sentence can be left out, if it is alone.
    covered = sum(pieces(spans, index)[-1] - pieces(spans, index)[0] for index in range(len(spans)))
    assert len(whole.tokens) - covered <= len(documents) * (room // 2)


def test_a_pair_is_a_span_cut_in_two_and_swapped_in_half_of_the_cases() -> None:
    spans = cut_into_spans(text([3, 4, 5, 6]), 30)
    assert len(spans) == 1
    begin, *ends = pieces(spans, 0)
    assert (begin, ends) == (0, [3, 7, 12, 18])
    draw = Draw(bytes(32), "test")
    seen: dict[tuple[int, bool], int] = {}
    for _ in range(600):
        one, two, swapped = spans.pair(0, draw)
        first, second = (two, one) if swapped else (one, two)
        assert np.concatenate([first, second]).tolist() == spans.text.tokens.tolist()
        seen[len(first), swapped] = seen.get((len(first), swapped), 0) + 1
    assert set(seen) == {(cut, swapped) for cut in (3, 7, 12) for swapped in (False, True)}
    assert min(seen.values()) > 60


def test_a_text_or_a_length_without_a_pair_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no two sentences"):
        cut_into_spans(text([4], [5]), 20)
    with pytest.raises(ConfigurationError, match="length is 7: use at least 8"):
        cut_into_spans(text([4, 4]), 7)
