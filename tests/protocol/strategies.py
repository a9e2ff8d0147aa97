"""Hypothesis strategies for everything that peers say to each other."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from btard.protocol import messages

digests = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=64, max_size=64)
seats = st.integers(0, 255)
floats = st.floats(allow_nan=False, allow_infinity=False)


def some(element: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(element, max_size=most).map(tuple)


scalars = st.builds(messages.PartScalars, some(floats), floats, floats, floats)
votes = st.builds(messages.Vote, some(seats), some(seats))
accusations = st.builds(messages.Accusation, st.sampled_from(["row", "gradient", "other"]), seats, seats)

payloads: dict[type, st.SearchStrategy[Any]] = {
    messages.GradientCommitment: st.builds(
        messages.GradientCommitment, digests, some(digests), digests, some(digests), some(digests)
    ),
    messages.AggregateCommitment: st.builds(messages.AggregateCommitment, digests, digests, some(seats)),
    messages.CoinReveal: st.builds(messages.CoinReveal, digests, digests, digests, some(seats)),
    messages.PublishedScalars: st.builds(messages.PublishedScalars, digests, some(scalars), digests),
    messages.Accusations: st.builds(
        messages.Accusations, digests, some(accusations), st.none() | scalars, digests, some(seats)
    ),
    messages.Verdicts: st.builds(messages.Verdicts, digests, some(votes)),
    messages.RecordVote: st.builds(messages.RecordVote, digests, digests),
}

slow: dict[type, st.SearchStrategy[Any]] = {
    messages.Call: st.builds(messages.Call, seats, st.text("abc", max_size=16)),
    messages.View: st.builds(
        messages.View, seats, some(st.text("abc", max_size=16)), some(st.binary(max_size=40))
    ),
    messages.Endorse: st.builds(messages.Endorse, st.binary(max_size=40)),
    messages.ViewRelay: st.builds(
        messages.ViewRelay, seats, seats, seats, st.binary(max_size=40), some(seats), some(signatures)
    ),
    messages.Need: st.builds(messages.Need, seats, seats, st.text("abc", max_size=16), some(seats)),
    messages.Want: st.builds(messages.Want, seats, seats, some(digests)),
}
