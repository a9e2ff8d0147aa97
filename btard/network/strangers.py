"""The places of those who have not proved an identity yet, shared fairly between addresses."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

_PREFIX_BITS_V6 = 64


class Strangers(Generic[T]):
    """At most `places` strangers, and at most `per_block` of one block of addresses.

    If all places are taken, a newcomer gets that of the oldest stranger of the largest block, as long as this
    leaves the newcomer's block no larger than that one; `evict` is told. So whoever has few addresses keeps
    nobody else out."""

    def __init__(self, places: int, per_block: int, evict: Callable[[T], None]) -> None:
        self._places = places
        self._per_block = per_block
        self._evict = evict
        self._block_of: dict[T, str] = {}
        self._blocks: dict[str, dict[T, None]] = {}

    def __len__(self) -> int:
        return len(self._block_of)

    def enter(self, stranger: T, address: str) -> bool:
        """Give a place to a newcomer; return False if there is none for it."""
        block = block_of(address)
        present = len(self._blocks.get(block, ()))
        if present >= self._per_block:
            return False
        if len(self._block_of) >= self._places:
            largest = max(self._blocks.values(), key=len, default={})
            if len(largest) <= present + 1:
                return False
            oldest = next(iter(largest))
            self.leave(oldest)
            self._evict(oldest)
        self._block_of[stranger] = block
        self._blocks.setdefault(block, {})[stranger] = None
        return True

    def leave(self, stranger: T) -> None:
        """Free the place of a stranger, if it has one."""
        block = self._block_of.pop(stranger, None)
        if block is not None:
            del self._blocks[block][stranger]
            if not self._blocks[block]:
                del self._blocks[block]


def block_of(address: str) -> str:
    """Return what counts as one remote: an IPv4 address, or the /64 of an IPv6 address, which one customer of
    a provider has to itself."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return f"{int(ip) >> (128 - _PREFIX_BITS_V6):x}/{_PREFIX_BITS_V6}"
    return str(ip)
