"""What a node of the DHT keeps for others: the publications of its own run, and a few at that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from btard.network.discovery import document_key, members_key
from btard.types import PeerId

STRANGERS_MAX = 32
"""Records of one run that a node keeps of publishers that it does not know, beside those that it does."""

KNOWN_MAX = 512
"""Publishers that a node can be told to know."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that a node keeps: only this publisher's, under this name."""

    run: bytes
    name: str
    publisher: PeerId


class Scope:
    """The keys of one run: the records of its members, and `documents`. `known` are publishers whose records
    are always kept; those of others give way to newer ones."""

    def __init__(self, run: bytes, documents: Iterable[Document] = (), known: Iterable[PeerId] = ()) -> None:
        self.run = run
        self.documents = tuple(documents)
        self._members = members_key(run)
        self._documents = {document_key(d.run, d.name, d.publisher): d.publisher for d in self.documents}
        self._known = dict.fromkeys(known)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key under which anything is kept."""
        return (self._members, *self._documents)

    def know(self, peers: Iterable[PeerId]) -> None:
        """Keep the records of these publishers from now on, e.g. of the first roster."""
        self._known |= dict.fromkeys(peers)
        for excess in tuple(self._known)[KNOWN_MAX:]:
            del self._known[excess]

    def keeps_always(self, publisher: bytes) -> bool:
        """Return whether what this publisher has published never gives way."""
        return publisher in self._known or publisher in self._documents.values()
