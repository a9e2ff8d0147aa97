"""Publications that prove themselves: nothing else is stored in the DHT. Imports hivemind.

Every node validates values when it is asked to store them and when it finds them. hivemind prefers the value
with the latest expiration, so that is signed too: nobody can prolong an old record over a newer one.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgpack
from hivemind.dht.routing import DHTID
from hivemind.dht.validation import DHTRecord, RecordValidatorBase

from btard.crypto import DIGEST_BYTES, SIGNATURE_BYTES, Identity, digest, verify
from btard.network.discovery import DOCUMENT_BYTES_MAX, DocumentName
from btard.network.record import RECORD_BYTES_MAX, PeerRecord, open_record
from btard.types import PeerId
from btard.wire import MaxSize, Rejection, Size, decode, encode, message

LIFETIME_MAX_S = 3600.0
"""Publications that claim to live longer are refused: a peer that leaves must be forgotten."""

PUBLISHERS_MAX = 1024
"""Members of one run that a node keeps; a record takes below 1 kB, an answer must stay below 4 MiB."""

KEYS_MAX = 1024
"""Keys that a node keeps, and counts members of."""

_OVERHEAD_BYTES = 512
_EXPIRATION = struct.Struct(">d")


@message("publication")
@dataclass(frozen=True, slots=True)
class Publication:
    """A record (no name) or a document (with one), signed together with its expiration.

    An empty payload without a name takes the publisher's record back.
    """

    run: Annotated[bytes, Size(DIGEST_BYTES)]
    name: DocumentName
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
    signature = identity.sign(_statement(run, name, identity.peer, payload, expiration))
    return encode(Publication(run, name, identity.peer, payload, signature))


def open_publication(raw: Any, expiration: float) -> Publication | None:
    """Return the publication in hostile bytes, or None if it is forged or its record is wrong."""
    if not isinstance(raw, bytes):
        return None
    publication = decode(Publication, raw)
    if isinstance(publication, Rejection):
        return None
    statement = _statement(
        publication.run, publication.name, publication.publisher, publication.payload, expiration
    )
    if not verify(publication.publisher, statement, publication.signature):
        return None
    if not publication.name and publication.payload:
        record = open_record(publication.payload)
        about = (record.run, record.peer) if isinstance(record, PeerRecord) else None
        if about != (publication.run, publication.publisher):
            return None
    return publication


class PublicationValidator(RecordValidatorBase):  # type: ignore[misc]  # hivemind ships no types
    """Accepts authentic publications under their own key and subkey, and not too many. `now` is DHT time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._publishers: OrderedDict[bytes, dict[bytes, float]] = OrderedDict()

    def validate(self, record: DHTRecord) -> bool:
        """Return whether to store or believe a record. Never raises, whatever it is given."""
        if len(record.value) > DOCUMENT_BYTES_MAX + _OVERHEAD_BYTES:
            return False
        if not record.expiration_time <= self._now() + LIFETIME_MAX_S:  # false for NaN too
            return False
        try:
            raw = msgpack.unpackb(record.value, raw=False, max_array_len=0, max_map_len=0, max_ext_len=0)
        except (ValueError, TypeError, msgpack.UnpackException):
            return False
        publication = open_publication(raw, record.expiration_time)
        if publication is None:
            return False
        run, name, publisher = publication.run, publication.name, publication.publisher
        key = document_key(run, name, publisher) if name else members_key(run)
        home = (DHTID.generate(source=key).to_bytes(), msgpack.packb(publisher))
        return (record.key, record.subkey) == home and self._room(
            record.key, publisher, record.expiration_time
        )

    def _room(self, key: bytes, publisher: bytes, expiration: float) -> bool:
        """Return whether one more publisher fits under a key; expired ones make room."""
        seen = self._publishers.setdefault(key, {})
        self._publishers.move_to_end(key)
        if len(self._publishers) > KEYS_MAX:
            self._publishers.popitem(last=False)
        if publisher not in seen and len(seen) >= PUBLISHERS_MAX:
            now = self._now()
            for each in [each for each, until in seen.items() if until < now]:
                del seen[each]
            if len(seen) >= PUBLISHERS_MAX:
                return False
        seen[publisher] = max(expiration, seen.get(publisher, expiration))
        return True


def _statement(run: bytes, name: str, publisher: PeerId, payload: bytes, expiration: float) -> bytes:
    until = _EXPIRATION.pack(expiration)
    return digest("network publication", run, name.encode(), publisher, until, payload)
