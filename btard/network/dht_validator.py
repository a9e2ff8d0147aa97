"""The validator by which a node of the DHT stores and believes publications alone. Imports hivemind.

Every node validates values when it is asked to store them and when it finds them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import msgpack
from hivemind.dht.routing import DHTID
from hivemind.dht.validation import DHTRecord, RecordValidatorBase

from btard.network.discovery import DOCUMENT_BYTES_MAX, document_key, members_key, open_publication

LIFETIME_MAX_S = 3600.0
"""Publications that claim to live longer are refused: a peer that leaves must be forgotten."""

PUBLISHERS_MAX = 1024
"""Members of one run that a node keeps; a record takes below 1 kB, an answer must stay below 4 MiB."""

KEYS_MAX = 1024
"""Keys that a node keeps, and counts members of."""

_OVERHEAD_BYTES = 512


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
