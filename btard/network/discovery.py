"""How peers find each other: a directory of signed records and documents. Nothing of a step goes here."""

from __future__ import annotations

from typing import Annotated, Protocol

from btard.errors import ConfigurationError
from btard.network.record import PeerRecord
from btard.types import Digest, PeerId
from btard.wire import MaxLen

DOCUMENT_BYTES_MAX = 256 << 10
NAME_BYTES_MAX = 64

DocumentName = Annotated[str, MaxLen(NAME_BYTES_MAX)]


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

    async def present(self, run: bytes) -> dict[PeerId, PeerRecord]:
        """Return those of `members` that answer now. A peer that was killed is missing within seconds."""

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
