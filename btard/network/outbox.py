"""A bounded queue of items for one peer."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    """First in, first out, bounded by number and by bytes; one consumer. `put` never blocks."""

    def __init__(self, items_max: int, bytes_max: int) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._items_max = items_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, size: int) -> bool:
        """Append an item of `size` bytes; return False, and keep nothing, if it does not fit."""
        if len(self._items) >= self._items_max or self._bytes + size > self._bytes_max:
            return False
        self._items.append((item, size))
        self._bytes += size
        self._arrived.set()
        return True

    async def head(self) -> T:
        """Wait for the first item and return it; it stays, and counts, until `pop`."""
        while not self._items:
            self._arrived.clear()
            await self._arrived.wait()
        return self._items[0][0]

    def pop(self) -> T:
        """Take the first item."""
        item, size = self._items.popleft()
        self._bytes -= size
        return item
