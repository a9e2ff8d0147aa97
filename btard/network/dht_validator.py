"""The validator by which a node of the DHT stores and believes publications alone. Imports hivemind.

Every node validates values when it is asked to store them and when it finds them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import msgpack
from hivemind.dht.routing import DHTID
from hivemind.dht.validation import DHTRecord, RecordValidatorBase

from btard.crypto import digest
from btard.network.dht_scope import Scope
from btard.network.discovery import DOCUMENT_BYTES_MAX, document_key, members_key, open_publication

LIFETIME_MAX_S = 180.0
"""Publications that claim to live longer are refused: a peer that leaves must be forgotten. Ours live 90 s;
the rest is for clocks that differ."""

CHECKS_PER_S = 50.0
CHECKS_BURST = 300.0
"""Signatures that a node checks, so that a flood of publications takes about 2 % of the event loop's time and
once 0.1 s. What is above is refused unread; its publisher tries again."""

REMEMBERED_MAX = 512
"""Verdicts that are kept: the same publication comes from several nodes, and again with each look."""

_OVERHEAD_BYTES = 512


class PublicationValidator(RecordValidatorBase):  # type: ignore[misc]  # hivemind ships no types
    """Accepts authentic publications of the scope under their own key and subkey. `now` is DHT time."""

    def __init__(self, scope: Scope, now: Callable[[], float]) -> None:
        self._now = now
        self._homes = frozenset(DHTID.generate(source=key).to_bytes() for key in scope.keys)
        self._verdicts: OrderedDict[bytes, bool] = OrderedDict()
        self._checks = CHECKS_BURST
        self._checked_at = now()

    def validate(self, record: DHTRecord) -> bool:
        """Return whether to store or believe a record. Never raises, whatever it is given."""
        if record.key not in self._homes:
            return False
        if len(record.value) > DOCUMENT_BYTES_MAX + _OVERHEAD_BYTES:
            return False
        if not record.expiration_time <= self._now() + LIFETIME_MAX_S:  # false for NaN too
            return False
        until = repr(record.expiration_time).encode()
        name = digest("network dht verdict", record.key, record.subkey, record.value, until)
        known = self._verdicts.get(name)
        if known is not None:
            self._verdicts.move_to_end(name)
            return known
        if not self._afford():
            return False
        self._verdicts[name] = verdict = _is_genuine(record)
        if len(self._verdicts) > REMEMBERED_MAX:
            self._verdicts.popitem(last=False)
        return verdict

    def _afford(self) -> bool:
        """Return whether one more signature may be checked now."""
        now = self._now()
        self._checks = min(CHECKS_BURST, self._checks + CHECKS_PER_S * max(0.0, now - self._checked_at))
        self._checked_at = now
        if self._checks < 1.0:
            return False
        self._checks -= 1.0
        return True


def _is_genuine(record: DHTRecord) -> bool:
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
    return bool((record.key, record.subkey) == home)
