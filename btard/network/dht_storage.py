"""The storage of a node of the DHT, bounded in keys and publishers. Imports hivemind.

hivemind's own drops what expires first once it is full, so that a stranger's publications, which may live
longer, push out everybody else's; it keeps any number of publishers under a key; and its heap of expirations
grows with each repetition. This one holds the keys of a `Scope` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hivemind.dht.routing import DHTID
from hivemind.dht.storage import DictionaryDHTValue
from hivemind.utils.timed_storage import ValueWithExpiration

from btard.network.dht_scope import STRANGERS_MAX, Scope


class BoundedStorage:
    """Takes the place of hivemind's `DHTLocalStorage`; values have passed the validator. `now` is DHT
    time."""

    def __init__(self, scope: Scope, now: Callable[[], float]) -> None:
        self._scope = scope
        self._now = now
        self._shelves: dict[DHTID, dict[bytes, ValueWithExpiration]] = {
            DHTID.generate(source=key): {} for key in scope.keys
        }

    def store(self, key: DHTID, value: Any, expiration_time: float, subkey: Any = None) -> bool:
        """Keep a value if it expires later than the one that is there; return whether it is kept."""
        if subkey is not None:
            return self.store_subkey(key, subkey, value, expiration_time)
        if not isinstance(value, DictionaryDHTValue):
            return False  # every publication has a publisher, and so a subkey
        with value.freeze():
            stored = [
                self.store_subkey(key, each, item.value, item.expiration_time) for each, item in value.items()
            ]
        return bool(stored) and all(stored)

    def store_subkey(self, key: DHTID, subkey: Any, value: bytes, expiration_time: float) -> bool:
        """Keep a publisher's value. A stranger's may push out that of another stranger, the oldest here."""
        shelf = self._shelves.get(key)
        if shelf is None or not isinstance(subkey, bytes) or not expiration_time >= self._now():
            return False
        self._drop_expired(shelf)
        present = shelf.get(subkey)
        if present is not None and present.expiration_time >= expiration_time:
            return False
        if present is None and not self._scope.keeps_always(subkey):
            strangers = [each for each in shelf if not self._scope.keeps_always(each)]
            for oldest in strangers[: max(0, len(strangers) - STRANGERS_MAX + 1)]:
                del shelf[oldest]
        shelf[subkey] = ValueWithExpiration(value, expiration_time)
        return True

    def get(self, key: DHTID) -> ValueWithExpiration | None:
        """Return a copy of what lies under a key, or None: hivemind merges what it finds elsewhere into
        it."""
        shelf = self._shelves.get(key)
        if shelf is None:
            return None
        self._drop_expired(shelf)
        if not shelf:
            return None
        found = DictionaryDHTValue()
        for subkey, item in shelf.items():
            found.store(subkey, item.value, item.expiration_time)
        return ValueWithExpiration(found, found.latest_expiration_time)

    def items(self) -> Iterator[tuple[DHTID, ValueWithExpiration]]:
        """Iterate over keys and what lies under them."""
        found = [(key, self.get(key)) for key in self._shelves]
        return iter([(key, value) for key, value in found if value is not None])

    def __contains__(self, key: DHTID) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        for shelf in self._shelves.values():
            self._drop_expired(shelf)
        return sum(map(len, self._shelves.values()))

    def _drop_expired(self, shelf: dict[bytes, ValueWithExpiration]) -> None:
        now = self._now()
        for subkey in [subkey for subkey, item in shelf.items() if item.expiration_time < now]:
            del shelf[subkey]
