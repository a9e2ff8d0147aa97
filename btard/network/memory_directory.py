"""A directory in one process, for tests and simulations."""

from __future__ import annotations

from dataclasses import dataclass, field

from btard.crypto import Identity
from btard.network.discovery import check_document
from btard.network.record import PeerRecord, open_record, seal_record
from btard.types import Digest, PeerId


@dataclass(slots=True)
class Shelf:
    """The store that the `MemoryDirectory`s of one test share. It holds signed bytes of anybody."""

    records: dict[tuple[bytes, PeerId], bytes] = field(default_factory=dict)
    documents: dict[tuple[bytes, str, PeerId], bytes] = field(default_factory=dict)


class MemoryDirectory:
    """A `Directory` over a shared `Shelf`. Verifies what it reads, as the real one does."""

    def __init__(self, identity: Identity, shelf: Shelf) -> None:
        self.me = identity.peer
        self._identity = identity
        self._shelf = shelf
        self._mine: set[tuple[bytes, PeerId]] = set()

    async def publish(self, record: PeerRecord) -> None:
        """Publish this peer's record."""
        self._shelf.records[record.run, self.me] = seal_record(self._identity, record)
        self._mine.add((record.run, self.me))

    async def withdraw(self, run: Digest) -> None:
        """Take this peer's record off the shelf."""
        self._shelf.records.pop((run, self.me), None)

    async def present(self, run: bytes) -> dict[PeerId, PeerRecord]:
        """Return the records on the shelf: a peer in this process is there as long as its record is."""
        return await self.members(run)

    async def members(self, run: bytes) -> dict[PeerId, PeerRecord]:
        """Return the verified records of a run."""
        found = {}
        for (of, peer), raw in self._shelf.records.items():
            if of == run:
                record = open_record(raw)
                if isinstance(record, PeerRecord) and (record.run, record.peer) == (run, peer):
                    found[peer] = record
        return found

    async def publish_document(self, run: bytes, name: str, signed_bytes: bytes) -> None:
        """Publish a document."""
        check_document(name, signed_bytes)
        self._shelf.documents[run, name, self.me] = signed_bytes

    async def document(self, run: bytes, name: str, publisher: PeerId) -> bytes | None:
        """Return the document of that publisher, or None."""
        return self._shelf.documents.get((run, name, publisher))

    async def close(self) -> None:
        """Take this peer's records off the shelf, as if they had expired."""
        for key in self._mine:
            self._shelf.records.pop(key, None)
        self._mine.clear()
