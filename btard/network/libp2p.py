"""libp2p's names for our keys: one Ed25519 key is both identities, so each name gives the other.

Formats: https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md. A peer id of an Ed25519 key
is an identity multihash: it contains the public key.
"""

from __future__ import annotations

import ipaddress
import re

from btard.crypto import PEER_ID_BYTES, Identity
from btard.errors import NetworkError
from btard.network.address import is_address
from btard.types import PeerId

_PRIVATE_KEY = b"\x08\x01\x12\x40"  # protobuf PrivateKey: type Ed25519, 64 bytes
_PUBLIC_KEY = b"\x08\x01\x12\x20"  # protobuf PublicKey: type Ed25519, 32 bytes
_MULTIHASH = b"\x00\x24"  # identity, 36 bytes
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ID_TEXT_MAX = 64
_MULTIADDR = re.compile(r"/(ip4|ip6|dns|dns4|dns6)/([^/]+)/tcp/([0-9]+)/p2p/([^/]+)\Z")
_MULTIADDR_BYTES_MAX = 400


def key_file(identity: Identity) -> bytes:
    """The content of a libp2p key file. Secret."""
    return _PRIVATE_KEY + identity.seed + identity.peer


def libp2p_id(peer: PeerId) -> bytes:
    """The binary libp2p peer id of a peer."""
    return _MULTIHASH + _PUBLIC_KEY + peer


def libp2p_id_text(peer: PeerId) -> str:
    """The libp2p peer id of a peer as people see it: 12D3Koo..."""
    number, text = int.from_bytes(libp2p_id(peer), "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" + text  # the leading zero byte


def listen_multiaddr(host: str, port: int) -> str:
    """The multiaddr to listen on. TCP only: over QUIC the daemon loses the ends of streams.

    Raises NetworkError where `host` is not an IP address.
    """
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        raise NetworkError(f"{host!r} is not an IP address to listen on: use 0.0.0.0 for all") from None
    return f"/ip{version}/{host}/tcp/{port}"


def peer_of(multiaddr: str) -> PeerId:
    """The peer behind a bootstrap's multiaddr.

    Raises NetworkError where it is not /ip4|ip6|dns/HOST/tcp/PORT/p2p/ID with the id of an Ed25519 key.
    """
    match = _MULTIADDR.match(multiaddr) if len(multiaddr) <= _MULTIADDR_BYTES_MAX else None
    if match is not None:
        kind, host, port, text = match.groups()
        raw = _unbase58(text)
        prefix = _MULTIHASH + _PUBLIC_KEY
        bracketed = f"[{host}]" if kind == "ip6" else host
        if (
            is_address(f"{bracketed}:{port}")
            and raw.startswith(prefix)
            and len(raw) == len(prefix) + PEER_ID_BYTES
        ):
            return PeerId(raw[len(prefix) :])
    raise NetworkError(
        f"{multiaddr[:_MULTIADDR_BYTES_MAX]!r} is not a bootstrap address: paste the whole line that the "
        "bootstrap prints, /ip4/HOST/tcp/PORT/p2p/12D3Koo..."
    )


def _unbase58(text: str) -> bytes:
    """The bytes of an Ed25519 peer id in base58, or nothing where it is none."""
    if len(text) > _ID_TEXT_MAX or not text.startswith("1") or any(each not in _BASE58 for each in text):
        return b""
    number = 0
    for each in text:
        number = number * 58 + _BASE58.index(each)
    return b"\0" + number.to_bytes((number.bit_length() + 7) // 8, "big")
