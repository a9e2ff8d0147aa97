"""Hypothesis strategies for everything that peers say to each other."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from btard.protocol.messages import (
    Accusation,
    Accusations,
    AggregateCommitment,
    CoinReveal,
    Endorse,
    GradientCommitment,
    Need,
    PartScalars,
    PublishedScalars,
    RecordVote,
    RelayVotes,
    Verdicts,
    View,
    ViewRelay,
    Vote,
    Want,
)

digests = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=64, max_size=64)
seats = st.integers(0, 255)
floats = st.floats(allow_nan=False, allow_infinity=False)


def some(element: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(element, max_size=most).map(tuple)


scalars = st.builds(PartScalars, some(floats), floats, floats)
votes = st.builds(Vote, some(seats), some(seats))
accusations = st.builds(Accusation, st.sampled_from(["row", "gradient", "other"]), seats)

payloads: dict[type, st.SearchStrategy[Any]] = {
    GradientCommitment: st.builds(
        GradientCommitment, digests, some(digests), digests, some(digests), some(digests)
    ),
    AggregateCommitment: st.builds(AggregateCommitment, digests, digests, some(seats)),
    RelayVotes: st.builds(RelayVotes, digests, some(st.integers(0, 2))),
    CoinReveal: st.builds(CoinReveal, digests, digests, digests, some(seats)),
    PublishedScalars: st.builds(PublishedScalars, digests, some(scalars), digests),
    Accusations: st.builds(Accusations, digests, some(accusations), st.none() | scalars, digests),
    Verdicts: st.builds(Verdicts, digests, some(votes)),
    RecordVote: st.builds(RecordVote, digests, digests),
}

slow: dict[type, st.SearchStrategy[Any]] = {
    View: st.builds(View, seats, some(st.text("abc", max_size=16)), some(st.binary(max_size=40))),
    Endorse: st.builds(Endorse, st.binary(max_size=40)),
    ViewRelay: st.builds(
        ViewRelay, seats, seats, seats, st.binary(max_size=40), some(seats), some(signatures)
    ),
    Need: st.builds(Need, seats, seats, st.text("abc", max_size=16), some(seats)),
    Want: st.builds(Want, seats, seats, some(digests)),
}
