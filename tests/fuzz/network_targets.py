"""Targets of the network: frames, hellos, addresses, certificates, records, and what a DHT stores."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import cache

import numpy as np
from hivemind.dht.routing import DHTID
from hivemind.dht.validation import DHTRecord

from btard.codec import FP32
from btard.crypto import Identity
from btard.errors import NetworkError
from btard.network.address import check_address, is_address
from btard.network.certificate import Certificate, fingerprint, is_certificate, pem_of
from btard.network.dht_scope import STRANGERS_MAX, Document, Scope
from btard.network.dht_storage import BoundedStorage
from btard.network.dht_validator import CHECKS_BURST, PublicationValidator
from btard.network.discovery import (
    Publication,
    document_key,
    members_key,
    open_publication,
    seal_publication,
)
from btard.network.frames import OFFER_BYTES, pack_offer, unpack_offer
from btard.network.hello import HELLO_BYTES, open_hello, seal_hello
from btard.network.libp2p import announced_multiaddr, handed_out, libp2p_id_text, peer_of
from btard.network.record import PeerRecord, open_record, seal_record
from btard.types import Digest
from btard.wire import Rejection, decode, encode
from tests.fuzz.mutation import mutate_bytes, mutate_packed, pack
from tests.fuzz.target import Target
from tests.fuzz.wire_targets import Refusal, told

RUN = bytes(range(32))
NONCE = b"n" * 32
NOW, UNTIL = 1000.0, 1060.0


@cache
def key() -> Identity:
    return Identity.from_seed(b"\x11" * 32)


@cache
def certificate() -> bytes:
    return Certificate.from_seed(b"\x22" * 32).der


# ---------------------------------------------------------------- frames


def read_offer(raw: bytes) -> object:
    offer = unpack_offer(raw)
    assert (offer is None) == (len(raw) != OFFER_BYTES)
    assert offer is None or pack_offer(*offer) == raw
    return offer


def read_hello(raw: bytes) -> object:
    """A hello of a stranger; and of a peer, with the same claims but truly signed."""
    server = fingerprint(certificate())
    opened = open_hello(raw, "control", NONCE, server)
    if len(raw) == HELLO_BYTES:
        assert (
            open_hello(seal_hello(key(), raw[:32], "control", NONCE, server), "blob", NONCE, server) is None
        )
    return opened


def read_blob(raw: bytes) -> object:
    """A blob as a peer takes it: valid ones decode to finite numbers, and to the same bytes again."""
    valid = FP32.is_valid(raw)
    if not valid:
        raise Refusal("not valid")
    vector = FP32.decode(raw)
    assert bool(np.isfinite(vector.numpy()).all())
    assert FP32.encode(vector) == raw
    return vector


# ---------------------------------------------------------------- addresses


def read_address(raw: bytes) -> object:
    """Text as the person types it and as a record holds it."""
    text = raw.decode(errors="replace")
    if is_address(text):
        announced_multiaddr(text)
    return check_address(text)


def read_multiaddr(raw: bytes) -> object:
    text = raw.decode(errors="replace")
    for multiaddr in handed_out((text,), key().peer):
        assert peer_of(multiaddr) == key().peer
    return peer_of(text)


def read_certificate(raw: bytes) -> object:
    """What is taken for a certificate can be pinned."""
    if not is_certificate(raw):
        raise Refusal("no certificate")
    return pem_of(raw)


# ---------------------------------------------------------------- what is published


@cache
def record() -> bytes:
    addresses = ("203.0.113.7:7070", "[2001:db8::7]:7070", "peer.example:1")
    return seal_record(key(), PeerRecord(Digest(RUN), key().peer, 7, addresses, certificate(), b"id"))


@cache
def publications() -> tuple[bytes, ...]:
    return (
        seal_publication(key(), RUN, "", record(), UNTIL),
        seal_publication(key(), RUN, "", b"", UNTIL),
        seal_publication(key(), RUN, "genesis", b"content", UNTIL),
    )


def read_record(raw: bytes) -> object:
    """A peer's record as a stranger wrote it, and one of these claims that its peer has signed."""
    body = decode(PeerRecord, raw)
    if isinstance(body, PeerRecord):
        try:
            raw = seal_record(key(), replace(body, peer=key().peer))
        except NetworkError:
            raise Refusal("malformed address") from None
    opened = told(open_record(raw))
    assert isinstance(opened, PeerRecord)
    assert all(map(is_address, opened.addresses))
    return opened


def read_publication(raw: bytes) -> object:
    opened = open_publication(raw, UNTIL)
    claimed = decode(Publication, raw)
    if not isinstance(claimed, Rejection):
        signed = seal_publication(key(), claimed.run, claimed.name, claimed.payload, UNTIL)
        opened = open_publication(signed, UNTIL) or opened
        assert open_publication(signed, UNTIL + 1.0) is None
    return opened


class _Validators:
    """One validator that lives through all inputs, as a node's does."""

    def __init__(self) -> None:
        scope = Scope(RUN, [Document(RUN, "genesis", key().peer)], [key().peer])
        self.validator = PublicationValidator(scope, lambda: NOW)
        self.storage = BoundedStorage(scope, lambda: NOW)
        self.kept = 0

    def read(self, raw: bytes) -> object:
        """A record that a stranger asks to store: [key, subkey, value, expiration] in msgpack, or a value."""
        import msgpack

        try:
            tree = msgpack.unpackb(raw, strict_map_key=False)
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
            tree = None
        match tree:
            case [bytes(home), bytes(subkey), bytes(value), float(until)]:
                asked = DHTRecord(home, subkey, value, until)
            case _:
                asked = DHTRecord(*_home(""), raw, UNTIL)
        # As after a long pause: a flood's bound of signatures is not what is looked at here.
        self.validator._checks = CHECKS_BURST
        stored = self.validator.validate(asked)
        assert type(stored) is bool
        if stored:
            publisher = msgpack.unpackb(asked.subkey)
            place = DHTID.from_bytes(asked.key)
            self.storage.store(place, asked.value, asked.expiration_time, subkey=publisher)
            assert len(self.storage) <= 2 + STRANGERS_MAX
        return stored or None


def _home(name: str) -> tuple[bytes, bytes]:
    place = document_key(RUN, name, key().peer) if name else members_key(RUN)
    return DHTID.generate(source=place).to_bytes(), pack(bytes(key().peer))


def _stored() -> list[bytes]:
    found = [
        [*_home(name), pack(raw), UNTIL]
        for name, raw in zip(("", "", "genesis"), publications(), strict=True)
    ]
    return [*map(pack, found), *map(pack, publications())]


def _bodies() -> list[bytes]:
    plain = PeerRecord(Digest(RUN), key().peer, 7, ("203.0.113.7:7070",), certificate(), b"id")
    return [record(), encode(plain), encode(replace(plain, addresses=(), certificate=b""))]


def _texts() -> list[bytes]:
    return [
        b"203.0.113.7:7070",
        b"[2001:db8::7]:7070",
        b"peer.example:1",
        b"[fe80::1%eth0]:80",
        b"1.2.3:65535",
    ]


def _multiaddrs() -> list[bytes]:
    peer = libp2p_id_text(key().peer)
    hosts = ("ip4/203.0.113.7", "ip6/2001:db8::7", "dns/peer.example", "dns4/x")
    return [f"/{host}/tcp/7070{end}".encode() for host in hosts for end in ("", f"/p2p/{peer}")]


def _blobs() -> list[bytes]:
    values = (0.0, -0.0, 1.5, 3e38, 1e-45, float("nan"), float("inf"))
    return [struct.pack("<7f", *values), struct.pack("<3f", *values[:3]), b""]


TARGETS: tuple[Target, ...] = (
    Target("offer", lambda: [pack_offer(Digest(RUN), 1 << 20)], read_offer, mutate=mutate_bytes),
    Target(
        "hello",
        lambda: [seal_hello(key(), RUN, "control", NONCE, fingerprint(certificate()))],
        read_hello,
        mutate=mutate_bytes,
    ),
    Target("blob", _blobs, read_blob, (Refusal,), mutate=mutate_bytes),
    Target("address", _texts, read_address, (NetworkError,), mutate=mutate_bytes),
    Target("multiaddr", _multiaddrs, read_multiaddr, (NetworkError,), mutate=mutate_bytes),
    Target("certificate", lambda: [certificate()], read_certificate, (Refusal,), mutate=mutate_bytes),
    Target("peer record", _bodies, read_record, (Refusal,)),
    Target("publication", publications, read_publication),
    Target("dht", _stored, _Validators().read, mutate=mutate_packed),
)
