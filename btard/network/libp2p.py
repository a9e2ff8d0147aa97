"""libp2p's names for our keys and addresses.

One Ed25519 key is both identities, so each name gives the other: the peer id of an Ed25519 key is an identity
multihash, which contains the public key (https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md).
Addresses are over TCP only: over QUIC the daemon loses the ends of streams.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

import base58

from btard.crypto import PEER_ID_BYTES, Identity
from btard.errors import NetworkError
from btard.network.address import check_address, is_address
from btard.types import PeerId

_PRIVATE_KEY = b"\x08\x01\x12\x40"  # protobuf PrivateKey: type Ed25519, 64 bytes
_ID = b"\x00\x24\x08\x01\x12\x20"  # identity multihash (36 bytes) of a protobuf PublicKey: Ed25519, 32 bytes
_ID_TEXT_MAX = 64
_MULTIADDR = re.compile(r"/(ip4|ip6|dns|dns4|dns6)/([^/]+)/tcp/([0-9]+)(?:/p2p/([^/]+))?\Z")
MULTIADDR_BYTES_MAX = 400


def key_file(identity: Identity) -> bytes:
    """Return the content of a libp2p key file. Secret."""
    return _PRIVATE_KEY + identity.seed + identity.peer


def libp2p_id(peer: PeerId) -> bytes:
    """Return the binary libp2p peer id of a peer."""
    return _ID + peer


def libp2p_id_text(peer: PeerId) -> str:
    """Return the libp2p peer id of a peer as people see it: 12D3Koo..."""
    return base58.b58encode(libp2p_id(peer)).decode()


def peer_of(multiaddr: str) -> PeerId:
    """Return the peer behind the multiaddr of a node of the directory.

    Raises NetworkError unless it is /ip4|ip6|dns/HOST/tcp/PORT/p2p/ID with the id of an Ed25519 key.
    """
    text = _id_text(multiaddr) or ""
    try:
        raw = base58.b58decode(text) if len(text) <= _ID_TEXT_MAX else b""
    except ValueError:
        raw = b""
    if not raw.startswith(_ID) or len(raw) != len(_ID) + PEER_ID_BYTES:
        raise NetworkError(
            f"{multiaddr[:MULTIADDR_BYTES_MAX]!r} is not the address of a node of the directory: use "
            "/ip4/HOST/tcp/PORT/p2p/12D3Koo..."
        )
    return PeerId(raw[len(_ID) :])


def is_bootstrap_address(multiaddr: str) -> bool:
    """Return whether hostile text is a multiaddr from which `peer_of` reads a key."""
    try:
        return bool(peer_of(multiaddr))
    except NetworkError:
        return False


def listen_multiaddr(host: str, port: int) -> str:
    """Return the multiaddr to listen on. Raises NetworkError if `host` is not an IP address."""
    kind = _kind(host)
    if kind == "dns":
        raise NetworkError(f"{host!r} is not an IP address to listen on: use 0.0.0.0 for all")
    return f"/{kind}/{host}/tcp/{port}"


def announced_multiaddr(text: str) -> str:
    """Return the multiaddr of an address as people write it: HOST:PORT, or a multiaddr without a peer id.

    Raises NetworkError for anything else.
    """
    if _id_text(text) == "":
        return text
    host, _, port = check_address(text).rpartition(":")
    host = host.strip("[]")
    return f"/{_kind(host)}/{host}/tcp/{port}"


def handed_out(multiaddrs: Iterable[str], peer: PeerId) -> tuple[str, ...]:
    """Return the multiaddrs of `peer` that others can join by, its id included, the best ones first.

    Names and public addresses come first, then private ones, then those of this machine alone. Multiaddrs of
    other kinds, such as circuits of relays, are left out.
    """
    direct = [each for each in multiaddrs if _id_text(each) == ""]
    return tuple(f"{each}/p2p/{libp2p_id_text(peer)}" for each in sorted(direct, key=_remoteness))


def _id_text(multiaddr: str) -> str | None:
    """Return the peer id in a multiaddr, "" if it has none, None if it is not a multiaddr that we know."""
    match = _MULTIADDR.match(multiaddr) if len(multiaddr) <= MULTIADDR_BYTES_MAX else None
    if match is None:
        return None
    kind, host, port, text = match.groups()
    is_known = is_address(f"[{host}]:{port}" if kind == "ip6" else f"{host}:{port}")
    return (text or "") if is_known and kind in (_kind(host), "dns", "dns4", "dns6") else None


def _kind(host: str) -> str:
    try:
        return f"ip{ipaddress.ip_address(host).version}"
    except ValueError:
        return "dns"


def _remoteness(multiaddr: str) -> tuple[bool, ...]:
    _, kind, host, *_ = multiaddr.split("/")
    if kind.startswith("dns"):
        return (False, False, False)
    address = ipaddress.ip_address(host)
    return (address.is_loopback, address.is_link_local, address.is_private)
