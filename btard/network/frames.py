"""The bytes on the streams. The layouts are fixed: no length of a stranger has to be trusted.

Control stream: every gRPC message is one control message.

Blob stream, for each blob in turn (gRPC keeps the boundaries of messages):

    client                                server
    offer: digest (32) | size (8, big-endian)
                                          WANTED, or UNWANTED and the next offer may come
    ceil(size / chunk_bytes) chunks
                                          DELIVERED, or FORGED and the stream ends

So a blob costs 40 bytes and two replies of one byte, and gRPC's 5-byte prefix on each message.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from btard.crypto import DIGEST_BYTES
from btard.types import Bytes, Digest

PREFIX_BYTES = 5
"""gRPC's own prefix of a message: a flag and a 32-bit length."""

WANTED = b"\x01"
UNWANTED = b"\x00"
DELIVERED = b"\x02"
FORGED = b"\x03"
WELCOME = b"\x04"

_OFFER = struct.Struct(f">{DIGEST_BYTES}sQ")
OFFER_BYTES = _OFFER.size


def pack_offer(digest: Digest, size: int) -> bytes:
    """Encode the offer of a blob: its digest and size in bytes."""
    return _OFFER.pack(digest, size)


def unpack_offer(raw: bytes) -> tuple[Digest, int] | None:
    """Return the digest and size in hostile bytes, or None if they are not an offer."""
    if len(raw) != OFFER_BYTES:
        return None
    digest, size = _OFFER.unpack(raw)
    return Digest(digest), size


def chunks(data: Bytes, chunk_bytes: int) -> Iterator[bytes]:
    """Cut the body of a blob into chunks; an empty one has none."""
    for start in range(0, len(data), chunk_bytes):
        yield bytes(data[start : start + chunk_bytes])


def framed(length: int) -> int:
    """Return the bytes on a stream that a message of `length` bytes costs."""
    return length + PREFIX_BYTES


def body_cost(size: int, chunk_bytes: int) -> int:
    """Return the bytes that the chunks of a blob of `size` bytes cost, without offer and replies."""
    return size + PREFIX_BYTES * -(-size // chunk_bytes)


OFFER_COST = framed(OFFER_BYTES)
REPLY_COST = framed(1)
