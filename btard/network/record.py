"""The signed record of a peer: the addresses where it listens, and the certificate that it shows there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from btard.crypto import DIGEST_BYTES, SIGNATURE_BYTES, Identity, digest, verify
from btard.network.address import ADDRESS_BYTES_MAX, check_address, is_address
from btard.network.certificate import CERTIFICATE_BYTES_MAX, is_certificate
from btard.types import FaultKind, PeerId, short
from btard.wire import MaxLen, MaxSize, Range, Rejection, Size, decode, encode, message

MAX_ADDRESSES = 8
LIBP2P_ID_BYTES_MAX = 64

RECORD_BYTES_MAX = 8192
"""Of a signed record, encoded; above what its fields can add up to."""


@message("peer-record")
@dataclass(frozen=True, slots=True)
class PeerRecord:
    """A peer's statement about itself. It binds its network identities to its Ed25519 key.

    `sequence` grows with every change and every start; the higher one holds: give milliseconds of the clock.
    `libp2p` is the peer id in libp2p's binary form, empty if the peer has none.
    """

    run: Annotated[bytes, Size(DIGEST_BYTES)]
    peer: PeerId
    sequence: Annotated[int, Range(0, 2**48)]
    addresses: Annotated[tuple[Annotated[str, MaxLen(ADDRESS_BYTES_MAX)], ...], MaxLen(MAX_ADDRESSES)]
    certificate: Annotated[bytes, MaxSize(CERTIFICATE_BYTES_MAX)]
    """DER; empty if the peer has no TLS server (in-memory transport)."""
    libp2p: Annotated[bytes, MaxSize(LIBP2P_ID_BYTES_MAX)] = b""


@message("signed-record")
@dataclass(frozen=True, slots=True)
class _Signed:
    body: Annotated[bytes, MaxSize(RECORD_BYTES_MAX - 256)]
    signature: Annotated[bytes, Size(SIGNATURE_BYTES)]


def seal_record(identity: Identity, record: PeerRecord) -> bytes:
    """Sign the record. Raises NetworkError for a malformed address."""
    assert record.peer == identity.peer, "a record is signed by the peer that it describes"
    for address in record.addresses:
        check_address(address)
    body = encode(record)
    return encode(_Signed(body, identity.sign(_statement(body))))


def open_record(raw: bytes) -> PeerRecord | Rejection:
    """Return the record in hostile bytes after checking form, signature, addresses and certificate.

    The caller checks run and peer."""
    signed = decode(_Signed, raw)
    if isinstance(signed, Rejection):
        return signed
    record = decode(PeerRecord, signed.body)
    if isinstance(record, Rejection):
        return record
    name = f"the record of {short(record.peer)}"
    if not verify(record.peer, _statement(signed.body), signed.signature):
        return Rejection(FaultKind.BAD_SIGNATURE, f"{name} is not signed by it")
    if not all(map(is_address, record.addresses)):
        return Rejection(FaultKind.OUT_OF_BOUNDS, f"{name} has a malformed address")
    if record.certificate and not is_certificate(record.certificate):
        return Rejection(FaultKind.OUT_OF_BOUNDS, f"{name} has a malformed certificate")
    return record


def _statement(body: bytes) -> bytes:
    return digest("network record", body)
