"""The words at the entrance: what is bound to one stream, one server, one bootstrap; and lines to join by."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.errors import NetworkError
from btard.network.certificate import Certificate, fingerprint
from btard.network.entrance import (
    ANSWER_BYTES_MAX,
    CONFIGURATION_BYTES_MAX,
    GENESIS_BYTES_MAX,
    KNOCK_BYTES_MAX,
    Answer,
    Introduction,
    Knock,
    Meeting,
    Refusal,
    open_introduction,
    open_proof,
    seal_introduction,
)
from btard.network.join import JoinLine
from btard.network.libp2p import libp2p_id_text
from btard.network.record import RECORD_BYTES_MAX
from btard.wire import decode, encode
from tests.network.rigs import RUN, identity

SERVER, NEWCOMER, MALLORY = identity(1), identity(2), identity(3)
CERTIFICATE = fingerprint(Certificate.from_seed(b"s" * 32).der)
CHALLENGE, NONCE = b"c" * 32, b"n" * 32
MEETING = Meeting(CHALLENGE, NONCE, CERTIFICATE, SERVER.peer)
KNOCK = Knock(NEWCOMER.peer, RUN, b"record", "token")
NODE = f"/ip4/203.0.113.7/tcp/7070/p2p/{libp2p_id_text(SERVER.peer)}"
INTRODUCTION = Introduction(SERVER.peer, b"{}", ("203.0.113.7:7070",), (NODE,))


def test_a_server_proves_its_key_for_this_challenge_and_certificate_alone() -> None:
    proof = MEETING.prove(SERVER)
    assert open_proof(proof, CHALLENGE, CERTIFICATE) == MEETING
    assert open_proof(proof, b"d" * 32, CERTIFICATE) is None
    assert open_proof(proof, CHALLENGE, fingerprint(b"of a relay")) is None
    assert open_proof(MEETING.prove(MALLORY), CHALLENGE, CERTIFICATE) is None
    assert all(
        open_proof(proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :], CHALLENGE, CERTIFICATE) is None
        for at in range(len(proof))
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(MEETING, challenge=b"d" * 32),
        replace(MEETING, nonce=b"m" * 32),
        replace(MEETING, certificate=fingerprint(b"of a relay")),
        replace(MEETING, server=MALLORY.peer),
    ],
    ids=["challenge", "nonce", "certificate", "server"],
)
def test_a_knock_holds_on_its_own_stream_alone(other: Meeting) -> None:
    raw = MEETING.seal(NEWCOMER, KNOCK)
    opened = MEETING.open(raw)
    assert opened is not None
    assert replace(opened, signature=KNOCK.signature) == KNOCK
    assert other.open(raw) is None


@pytest.mark.parametrize(
    "changed",
    [{"run": bytes(32)}, {"run": None}, {"record": b""}, {"invitation": None}, {"peer": MALLORY.peer}],
    ids=str,
)
def test_a_knock_cannot_be_changed(changed: dict[str, object]) -> None:
    signed = decode(Knock, MEETING.seal(NEWCOMER, KNOCK))
    assert isinstance(signed, Knock)
    assert MEETING.open(encode(replace(signed, **changed))) is None  # type: ignore[arg-type]


def test_a_knock_that_is_too_long_is_not_looked_at() -> None:
    longest = Knock(NEWCOMER.peer, RUN, bytes(RECORD_BYTES_MAX), "x" * 128)
    assert len(MEETING.seal(NEWCOMER, longest)) <= KNOCK_BYTES_MAX
    assert MEETING.open(bytes(KNOCK_BYTES_MAX + 1)) is None


def test_the_largest_answer_of_a_run_fits() -> None:
    introduction = replace(INTRODUCTION, configuration=bytes(CONFIGURATION_BYTES_MAX))
    signed = seal_introduction(SERVER, introduction)
    largest = Answer("told", signed, bytes(GENESIS_BYTES_MAX), (bytes(RECORD_BYTES_MAX),) * 64, Refusal.FULL)
    assert len(encode(largest)) <= ANSWER_BYTES_MAX


def test_an_introduction_can_be_passed_on_and_not_changed() -> None:
    raw = seal_introduction(SERVER, INTRODUCTION)
    opened = open_introduction(raw)
    assert opened is not None
    assert replace(opened, signature=INTRODUCTION.signature) == INTRODUCTION
    for changed in (
        replace(opened, configuration=b"{ }"),
        replace(opened, entrances=()),
        replace(opened, directory=()),
        replace(opened, bootstrap=MALLORY.peer),
    ):
        assert open_introduction(encode(changed)) is None
    unusable = (
        replace(INTRODUCTION, entrances=("unix:/etc/passwd",)),
        replace(INTRODUCTION, directory=("/ip4/1.2.3.4/udp/1/quic-v1",)),
    )
    assert [open_introduction(seal_introduction(SERVER, each)) for each in unusable] == [None, None]


def test_a_line_to_join_by_names_the_server_and_the_bootstrap() -> None:
    mine = JoinLine("203.0.113.7:31337", SERVER.peer, SERVER.peer)
    assert str(mine) == f"203.0.113.7:31337/{SERVER.peer.hex()}"
    assert JoinLine.parse(str(mine)) == mine
    members = JoinLine("[2001:db8::7]:1", NEWCOMER.peer, SERVER.peer)
    assert str(members) == f"[2001:db8::7]:1/{NEWCOMER.peer.hex()}/{SERVER.peer.hex()}"
    assert JoinLine.parse(str(members)) == members


@given(st.text(max_size=300))
def test_noise_is_no_line_to_join_by(text: str) -> None:
    with pytest.raises(NetworkError, match="paste the whole line"):
        JoinLine.parse(text)


@pytest.mark.parametrize(
    "change",
    [
        *("{}0", "{}/", "{}\n", " {}", "x/{}", "dns:{}", "{}/5e1f", "{}/" + "0" * 64 + "/" + "0" * 64),
        "unix:/run/x/{}",
    ],
)
def test_a_line_that_is_nearly_one_is_none(change: str) -> None:
    line = str(JoinLine("203.0.113.7:31337", SERVER.peer, SERVER.peer))
    with pytest.raises(NetworkError, match=r"^[^\n]+$"):
        JoinLine.parse(change.format(line))
