"""How peers find each other: a directory of signed records and documents. Nothing of a step goes here."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol

from btard.crypto import DIGEST_BYTES, SIGNATURE_BYTES, Identity, digest, verify
from btard.errors import ConfigurationError
from btard.network.record import RECORD_BYTES_MAX, PeerRecord, open_record
from btard.types import Digest, PeerId
from btard.wire import MaxLen, MaxSize, Rejection, Size, decode, encode, message

DOCUMENT_BYTES_MAX = 256 << 10
NAME_BYTES_MAX = 64


class Directory(Protocol):
    """Records and documents of runs, each under the key of its publisher.

    A peer can publish in its own name only. It can hide a publication of another one only by keeping it from
    spreading. Publications are renewed while their publisher lives and expire 60 to 90 seconds after its
    end. Raises NetworkError if the directory does not answer within its deadline.
    """

    me: PeerId

    async def publish(self, record: PeerRecord) -> None:
        """Publish this peer's own record, replacing its last one of that run (of a lower `sequence`)."""

    async def withdraw(self, run: Digest) -> None:
        """Take this peer's record back, because it leaves before the run begins."""

    async def members(self, run: bytes) -> dict[PeerId, PeerRecord]:
        """Return the verified records of a run: of peers that say that they take part, not of a roster."""

    async def publish_document(self, run: bytes, name: str, signed_bytes: bytes) -> None:
        """Publish a document, e.g. the description of a run or its genesis; opaque bytes here."""

    async def document(self, run: bytes, name: str, publisher: PeerId) -> bytes | None:
        """Return the document that `publisher` has published under this name, or None."""

    async def close(self) -> None:
        """Stop renewing and disconnect. May be repeated."""


def check_document(name: str, content: bytes) -> None:
    """Raise ConfigurationError for a name or a content that no directory takes."""
    if not name.isascii() or not 1 <= len(name) <= NAME_BYTES_MAX or "/" in name:
        raise ConfigurationError(
            f"the name of a document is {name!r}: use 1 to {NAME_BYTES_MAX} ASCII characters and no slash"
        )
    if len(content) > DOCUMENT_BYTES_MAX:
        size = f"{len(content)} bytes of at most {DOCUMENT_BYTES_MAX}"
        raise ConfigurationError(f"the document {name} has {size}: publish its digest instead")


@message("publication")
@dataclass(frozen=True, slots=True)
class Publication:
    """A record (no name) or a document (with one), signed together with its expiration.

    The DHT prefers the value that expires last; the signature keeps others from prolonging an old record over
    a newer one. An empty payload without a name takes the publisher's record back.
    """

    run: Annotated[bytes, Size(DIGEST_BYTES)]
    name: Annotated[str, MaxLen(NAME_BYTES_MAX)]
    publisher: PeerId
    payload: Annotated[bytes, MaxSize(max(RECORD_BYTES_MAX, DOCUMENT_BYTES_MAX))]
    signature: Annotated[bytes, Size(SIGNATURE_BYTES)]


def members_key(run: bytes) -> str:
    """Return the DHT key of the members of a run; each is a subkey."""
    return f"btard/1/{run.hex()}/members"


def document_key(run: bytes, name: str, publisher: PeerId) -> str:
    """Return the DHT key of a document. It names the publisher, so that nobody else can write there."""
    return f"btard/1/{run.hex()}/document/{name}/{publisher.hex()}"


def seal_publication(identity: Identity, run: bytes, name: str, payload: bytes, expiration: float) -> bytes:
    """Sign the publication of `payload`, valid until `expiration` (DHT time, seconds)."""
    unsigned = Publication(run, name, identity.peer, payload, bytes(SIGNATURE_BYTES))
    return encode(replace(unsigned, signature=identity.sign(_statement(unsigned, expiration))))


def open_publication(raw: Any, expiration: float) -> Publication | None:
    """Return the publication in hostile bytes, or None if it is forged or its record is wrong."""
    if not isinstance(raw, bytes):
        return None
    opened = decode(Publication, raw)
    if isinstance(opened, Rejection):
        return None
    if not verify(opened.publisher, _statement(opened, expiration), opened.signature):
        return None
    if not opened.name and opened.payload:
        record = open_record(opened.payload)
        if not isinstance(record, PeerRecord) or (record.run, record.peer) != (opened.run, opened.publisher):
            return None
    return opened


def _statement(of: Publication, expiration: float) -> bytes:
    name, until = of.name.encode(), struct.pack(">d", expiration)
    return digest("network publication", of.run, name, of.publisher, until, of.payload)
