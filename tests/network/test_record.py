"""Signed records, addresses, certificates, libp2p names: from hostile bytes to a value or a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.errors import NetworkError
from btard.network import (
    Certificate,
    PeerRecord,
    libp2p_id,
    libp2p_id_text,
    open_record,
    peer_of,
    seal_record,
)
from btard.network.address import check_address, is_address
from btard.network.certificate import is_certificate
from btard.network.libp2p import announced_multiaddr, handed_out, listen_multiaddr
from btard.types import FaultKind, PeerId
from btard.wire import Rejection
from tests.network.rigs import RUN, identity

ALICE = identity(1)
ALICE_ID = libp2p_id_text(ALICE.peer)
RECORD = PeerRecord(
    run=RUN,
    peer=ALICE.peer,
    sequence=7,
    addresses=("203.0.113.7:7070", "[2001:db8::7]:7070", "peer.example.org:1"),
    certificate=Certificate.from_seed(ALICE.seed).der,
    libp2p=libp2p_id(ALICE.peer),
)
SEALED = seal_record(ALICE, RECORD)


@given(st.binary(max_size=300))
def test_random_bytes_are_never_a_record(raw: bytes) -> None:
    assert isinstance(open_record(raw), Rejection)


@given(st.integers(0, len(SEALED) * 8 - 1))
def test_record_survives_the_way_and_no_bit_of_it_can_be_changed(bit: int) -> None:
    raw = bytearray(SEALED)
    raw[bit // 8] ^= 1 << bit % 8
    assert open_record(SEALED) == RECORD
    assert isinstance(open_record(bytes(raw)), Rejection)


def test_record_in_the_name_of_another_is_refused() -> None:
    mallory = identity(2)
    forged = seal_record(mallory, replace(RECORD, peer=mallory.peer)).replace(mallory.peer, ALICE.peer)
    detail = f"the record of {ALICE.peer[:4].hex()} is not signed by it"
    assert open_record(forged) == Rejection(FaultKind.BAD_SIGNATURE, detail)


def test_signed_nonsense_is_refused_with_its_reason() -> None:
    assert open_record(seal_record(ALICE, replace(RECORD, certificate=b"not DER"))) == Rejection(
        FaultKind.OUT_OF_BOUNDS, f"the record of {ALICE.peer[:4].hex()} has a malformed certificate"
    )
    with pytest.raises(NetworkError, match="write host:port"):
        seal_record(ALICE, replace(RECORD, addresses=("unix:/tmp/x",)))


@pytest.mark.parametrize(
    "text", ["1.2.3.4:1", "[::1]:65535", "localhost:80", "a-b.c_d.example:7070", "[::ffff:1.2.3.4]:9"]
)
def test_addresses(text: str) -> None:
    assert check_address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "host", "host:", ":80", "host:0", "host:65536", "host:080", "host:1x", "host:-1"),
        *("1.2.3:80", "1.2.3.256:80", "1.2.3.4.5:80", "::1:80", "[::1%eth0]:80", "[::1]", "[1.2.3.4]:80"),
        *("unix:/tmp/x:1", "dns:///a:1", "a/b:1", "-a:1", "a-:1", "a..b:1", "a b:1", "a\n:1", "a:1\n"),
        *("ü.example:1", "x" * 64 + ":1", "a." * 130 + "b:1", "a,b:1", "a@b:1", "1.2.3.4:\u0661"),
    ],
)
def test_what_is_not_an_address(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(NetworkError):
        check_address(text)


def test_certificate_is_a_function_of_its_seed_and_shows_no_key() -> None:
    one, same, other = (Certificate.from_seed(seed) for seed in (b"a", b"a", b"b"))
    assert one == same
    assert one.der != other.der
    assert is_certificate(one.der)
    assert not is_certificate(one.der + bytes(1024))
    assert "PRIVATE" not in repr(one)


@given(st.binary(min_size=32, max_size=32).map(lambda seed: PeerId(seed)))
def test_libp2p_name_gives_the_peer_back(peer: PeerId) -> None:
    text = libp2p_id_text(peer)
    assert text.startswith("12D3Koo")
    for host in ("ip4/203.0.113.7", "dns/bootstrap.example.org", "ip6/2001:db8::7"):
        assert peer_of(f"/{host}/tcp/7070/p2p/{text}") == peer


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "203.0.113.7:7070", "/ip4/203.0.113.7/tcp/7070", "/ip4/203.0.113.7/tcp/7070/p2p/"),
        "/ip4/203.0.113.7/tcp/7070/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        f"/ip4/203.0.113.7/udp/7070/quic-v1/p2p/{ALICE_ID}",
        f"/ip4/203.0.113.7/tcp/0/p2p/{ALICE_ID}",
        *(f"/ip4/203.0.113.7/tcp/7070/p2p/{each}" for each in (f"{ALICE_ID}x", ALICE_ID[:-1])),
        f"/ip4/203.0.113.7/tcp/7070/p2p/{ALICE_ID},/ip4/1.2.3.4/tcp/1/p2p/x",
    ],
)
def test_a_malformed_address_of_the_directory_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(
        NetworkError, match=r"not the address of a node of the directory: use /ip4/HOST/tcp/PORT"
    ):
        peer_of(text)


@pytest.mark.parametrize(
    ("text", "multiaddr"),
    [
        ("203.0.113.7:7070", "/ip4/203.0.113.7/tcp/7070"),
        ("[2001:db8::7]:7070", "/ip6/2001:db8::7/tcp/7070"),
        ("peer.example.org:1", "/dns/peer.example.org/tcp/1"),
        ("/dns4/peer.example.org/tcp/1", "/dns4/peer.example.org/tcp/1"),
    ],
)
def test_address_as_people_write_it_is_announced_as_a_multiaddr(text: str, multiaddr: str) -> None:
    assert announced_multiaddr(text) == multiaddr


@pytest.mark.parametrize("text", ["nonsense", "", "/ip4/1.2.3.4/udp/1", "/ip4/1.2.3.4/tcp/1/p2p/x", "a:0"])
def test_malformed_address_is_not_announced(text: str) -> None:
    with pytest.raises(NetworkError, match="write host:port"):
        announced_multiaddr(text)


def test_addresses_that_reach_furthest_are_handed_out_first() -> None:
    hosts = ("127.0.0.1", "169.254.1.1", "192.168.1.7", "8.8.8.8")
    seen = [f"/ip4/{host}/tcp/7070" for host in hosts]
    handed = handed_out([*seen, "/ip4/8.8.8.8/udp/1/quic-v1"], ALICE.peer)
    assert [each.split("/")[2] for each in handed] == ["8.8.8.8", "192.168.1.7", "169.254.1.1", "127.0.0.1"]
    assert {peer_of(each) for each in handed} == {ALICE.peer}


def test_libp2p_listens_on_tcp_alone() -> None:
    assert listen_multiaddr("0.0.0.0", 7070) == "/ip4/0.0.0.0/tcp/7070"
    assert listen_multiaddr("::", 0) == "/ip6/::/tcp/0"
    with pytest.raises(NetworkError, match="not an IP address"):
        listen_multiaddr("localhost", 0)
