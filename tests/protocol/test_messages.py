"""What peers say survives the wire, and nothing larger than its bound passes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import Identity
from btard.errors import ConfigurationError
from btard.protocol import messages
from btard.protocol.messages import PAYLOADS, PHASES, REQUESTS, size_max
from btard.wire import Envelope, Rejection, decode, encode, seal
from tests.protocol.strategies import payloads, slow

D = bytes(32)


@given(st.one_of(*payloads.values(), *slow.values()))
def test_whatever_peers_say_comes_back_the_same(said: Any) -> None:
    assert decode(type(said), encode(said)) == said


def test_every_phase_has_its_payload_and_no_two_messages_share_a_tag() -> None:
    assert tuple(PAYLOADS) == PHASES
    assert set(payloads) == set(PAYLOADS.values())
    tags = [vars(kind)["__btard_schema__"].tag for kind in (*payloads, *slow)]
    assert len(set(tags)) == len(tags)


@given(st.sampled_from(PHASES), st.one_of(*payloads.values()))
def test_a_payload_of_another_phase_is_refused(phase: str, said: Any) -> None:
    read = decode(PAYLOADS[phase], encode(said))
    assert isinstance(read, Rejection) == (type(said) is not PAYLOADS[phase])


@given(st.binary(max_size=200))
def test_noise_is_refused_by_every_phase_and_is_no_request(noise: bytes) -> None:
    for kind in (*PAYLOADS.values(), REQUESTS):
        assert isinstance(decode(kind, noise), Rejection)  # type: ignore[arg-type]


TOO_MUCH: list[Any] = [
    messages.AggregateCommitment(D, D, (256,)),
    messages.AggregateCommitment(D, D, (-1,)),
    messages.CoinReveal(D, D[:31], D, ()),
    messages.GradientCommitment(D[:31], (), D, (), ()),
    messages.GradientCommitment(D, (D,) * 257, D, (), ()),
    messages.PublishedScalars(D, (messages.PartScalars((float("nan"),), 0.0, 0.0, 0.0),), D),
    messages.PublishedScalars(D, (messages.PartScalars((0.0,), float("inf"), 0.0, 0.0),), D),
    messages.PublishedScalars(D, (messages.PartScalars((0.0,) * 65, 0.0, 0.0, 0.0),), D),
    messages.Accusations(D, (messages.Accusation("a kind too long", 0, 0),), None, D, ()),
    messages.Need(0, 0, "a phase that is too long", ()),
    messages.Need(-1, 0, "", ()),
]


@pytest.mark.parametrize("said", TOO_MUCH, ids=lambda said: type(said).__name__)
def test_what_exceeds_its_bounds_is_not_sent(said: Any) -> None:
    with pytest.raises(ConfigurationError):
        encode(said)


@pytest.mark.parametrize("n", [2, 4, 16, 64, 128])
@pytest.mark.parametrize("directions", [1, 4, 16])
def test_the_largest_message_of_an_honest_peer_gets_a_slot_and_fits_into_a_view(
    n: int, directions: int
) -> None:
    identity = Identity.from_seed(D)
    scalars = messages.PartScalars((1.5,) * directions, 1.5, 1.5, 1.5)
    seats = tuple(range(n))
    single = messages.Vote((n - 1,), ())
    largest = {
        messages.GRADIENT: messages.GradientCommitment(D, (D,) * n, D, (D,) * n, (D,) * n),
        messages.AGGREGATE: messages.AggregateCommitment(D, D, seats),
        messages.REVEAL: messages.CoinReveal(D, D, D, seats),
        messages.SCALARS: messages.PublishedScalars(D, (scalars,) * n, D),
        messages.ACCUSE: messages.Accusations(
            D, (messages.Accusation("gradient", n - 1, n - 1),) * n, scalars, D, seats
        ),
        messages.VERDICT: messages.Verdicts(
            D, (single,) * (n * (n - 1) + n // 2) + (messages.Vote(seats, ()),) * n
        ),
        messages.RECORD: messages.RecordVote(D, D),
    }
    assert set(largest) == set(PHASES)
    for phase, said in largest.items():
        place = (D, 2**40, 2**16, phase, D, identity.peer)
        raw = seal(identity, Envelope(*place, encode(said)))
        assert len(raw) <= size_max(phase, n, directions)
        assert decode(messages.View, encode(messages.View(0, (), (raw,)))) == messages.View(0, (), (raw,))
