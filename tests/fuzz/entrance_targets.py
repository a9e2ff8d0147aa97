"""Targets of the entrance: what a newcomer and a server that it does not know say to each other."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from btard.crypto import Identity
from btard.errors import ConfigurationError, NetworkError
from btard.ledger.header import LedgerHeader
from btard.network.address import is_address
from btard.network.certificate import fingerprint
from btard.network.entrance import (
    PROOF_BYTES,
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
from btard.network.libp2p import libp2p_id_text, peer_of
from btard.node.rendezvous import open_genesis, open_records
from btard.node.seats import Seats
from btard.run.admission import Invite
from btard.run.config import RunConfig
from btard.run.invitation import Invitation
from btard.wire import decode, encode
from tests.fuzz.mutation import mutate_bytes
from tests.fuzz.network_targets import certificate, key, record
from tests.fuzz.target import Target
from tests.fuzz.wire_targets import Refusal as Refused
from tests.fuzz.wire_targets import told
from tests.node.nodes import a_plan

CHALLENGE, NONCE = b"c" * 32, b"n" * 32
ID = b"i" * 16
NOW = 1000.0


@cache
def config() -> RunConfig:
    return a_plan(peers=2).model_copy(update={"admission": Invite()}).begin(bytes(32))


@cache
def meeting() -> Meeting:
    return Meeting(CHALLENGE, NONCE, fingerprint(certificate()), key().peer)


@cache
def introduction() -> Introduction:
    node = f"/ip4/203.0.113.7/tcp/7070/p2p/{libp2p_id_text(key().peer)}"
    return Introduction(key().peer, config().to_bytes(), ("203.0.113.7:7070", "peer.example:1"), (node,))


@cache
def header() -> LedgerHeader:
    other = Identity.from_seed(b"\x33" * 32)
    return LedgerHeader.of(config(), (key().peer, other.peer), key())


def invitation() -> str:
    return Invitation.issue(key(), config().digest, ID, 2000).text


# ---------------------------------------------------------------- what a server reads


def read_knock(raw: bytes) -> object:
    """A knock as a stranger sent it; and one with the same claims, truly signed, up to its seat."""
    opened = meeting().open(raw)
    claimed = decode(Knock, raw)
    if isinstance(claimed, Knock):
        signed = meeting().seal(key(), replace(claimed, peer=key().peer))
        opened = meeting().open(signed) or opened
        assert replace(meeting(), nonce=CHALLENGE).open(signed) is None
    if opened is None:
        raise Refused("no knock")
    seats = Seats(config(), key().peer)
    refusal = seats.ask(opened.peer, "192.0.2.1", opened.invitation, NOW)
    assert (refusal is None) == (opened.invitation == invitation())
    assert len(seats.taken) == (refusal is None)
    return opened


def read_token(raw: bytes) -> object:
    """A token has one spelling, and nothing in it can be changed."""
    opened = Invitation.parse(raw.decode(errors="replace"))
    if opened is None:
        raise Refused("no token")
    assert opened.text.encode() == raw
    assert opened.is_of(key().peer, config().digest) == (opened.text == invitation())
    return opened


# ---------------------------------------------------------------- what a newcomer reads


def read_proof(raw: bytes) -> object:
    opened = open_proof(raw, CHALLENGE, fingerprint(certificate()))
    assert opened is None or (len(raw) == PROOF_BYTES and opened.challenge == CHALLENGE)
    return opened


def read_introduction(raw: bytes) -> object:
    """An introduction as somebody passed it on; and one of these claims that its bootstrap has signed."""
    opened = open_introduction(raw)
    claimed = decode(Introduction, raw)
    if isinstance(claimed, Introduction):
        opened = open_introduction(seal_introduction(key(), replace(claimed, bootstrap=key().peer)))
    if opened is None:
        raise Refused("no introduction")
    assert all(map(is_address, opened.entrances))
    assert all(map(peer_of, opened.directory))
    return RunConfig.from_bytes(opened.configuration)


def read_answer(raw: bytes) -> object:
    """An answer of a server that has proven its key, up to the roster that a newcomer believes."""
    answer = told(decode(Answer, raw))
    if answer.introduction is not None:
        open_introduction(answer.introduction)
    if answer.genesis is not None:
        opened = open_genesis(answer.genesis, key().peer, config(), key().peer)
        assert opened == header()
        assert set(open_records(answer.records, opened, config().digest)) <= set(opened.members)
    return answer


def read_line(raw: bytes) -> object:
    line = JoinLine.parse(raw.decode(errors="replace"))
    assert JoinLine.parse(str(line)) == line
    return line


def _knocks() -> list[bytes]:
    knocks = [
        Knock(key().peer),
        Knock(key().peer, config().digest, record()),
        Knock(key().peer, config().digest, record(), invitation()),
    ]
    return [meeting().seal(key(), each) for each in knocks]


def _answers() -> list[bytes]:
    signed = seal_introduction(key(), introduction())
    return [
        encode(Answer("told", signed)),
        encode(Answer("told", signed, header().to_bytes(), (record(),))),
        encode(Answer("seated")),
        encode(Answer("begun", None, header().to_bytes(), (record(), b""))),
        *(encode(Answer("refused", refusal=refusal)) for refusal in Refusal),
    ]


def _lines() -> list[bytes]:
    mine, other = key().peer, bytes(32)
    return [f"203.0.113.7:1/{mine.hex()}".encode(), f"[::1]:65535/{mine.hex()}/{other.hex()}".encode()]


TARGETS: tuple[Target, ...] = (
    Target("knock", _knocks, read_knock, (Refused,)),
    Target("token", lambda: [invitation().encode()], read_token, (Refused,), mutate=mutate_bytes),
    Target("proof", lambda: [meeting().prove(key())], read_proof, mutate=mutate_bytes),
    Target(
        "introduction",
        lambda: [seal_introduction(key(), introduction())],
        read_introduction,
        (Refused, ConfigurationError),
    ),
    Target("answer", _answers, read_answer, (Refused, ConfigurationError)),
    Target("join line", _lines, read_line, (NetworkError,), mutate=mutate_bytes),
)
