"""Masks from the keystream: the shares of the paper, from the seed alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.training.tasks.albert.masking import mask_tokens

MASK, VOCABULARY = 4, 1000


@given(
    seed=st.binary(min_size=32, max_size=32),
    lengths=st.lists(st.integers(2, 40), min_size=1, max_size=4),
)
def test_fifteen_per_cent_of_the_words_are_chosen_and_nothing_else_changes(
    seed: bytes, lengths: list[int]
) -> None:
    words = np.arange(40) < np.array(lengths)[:, None]
    tokens = 100 + np.arange(words.size).reshape(words.shape)
    masked, chosen = mask_tokens(tokens, words, MASK, VOCABULARY, seed)
    expected = [max(1, int(0.15 * length + 0.5)) for length in lengths]
    assert chosen.sum(axis=1).tolist() == expected
    assert not (chosen & ~words).any()
    assert np.array_equal(masked[~chosen], tokens[~chosen])
    again, _ = mask_tokens(tokens, words, MASK, VOCABULARY, seed)
    assert np.array_equal(masked, again)


def test_chosen_tokens_are_masked_replaced_or_kept_in_the_shares_of_the_paper() -> None:
    words = np.ones((400, 200), np.bool_)
    tokens = np.full(words.shape, 500)
    masked, chosen = mask_tokens(tokens, words, MASK, VOCABULARY, bytes(32))
    found = masked[chosen]
    assert len(found) == 400 * 30
    assert np.mean(found == MASK) == pytest.approx(0.8, abs=0.01)
    assert np.mean(found == 500) == pytest.approx(0.1, abs=0.01)
    random = found[(found != MASK) & (found != 500)]
    assert random.min() < 20
    assert random.max() > VOCABULARY - 20
    # Every place is as likely as any other.
    assert np.abs(chosen.mean(axis=0) - 0.15).max() < 0.09


def test_the_masks_of_a_seed_are_what_they_always_were() -> None:
    """A validator of another version recomputes the same batch: the draw is normative."""
    masked, chosen = mask_tokens(
        np.arange(100, 140).reshape(2, 20), np.ones((2, 20), np.bool_), MASK, VOCABULARY, bytes(range(32))
    )
    assert np.flatnonzero(chosen).tolist() == [3, 5, 9, 27, 34, 38]
    assert masked[chosen].tolist() == [4, 827, 4, 4, 134, 4]
