"""How peers find each other: a directory of signed records and documents. Nothing of a step goes here."""

from __future__ import annotations

from typing import Annotated, Protocol

from btard.errors import ConfigurationError
from btard.network.record import PeerRecord
from btard.types import PeerId
from btard.wire import MaxLen

DOCUMENT_BYTES_MAX = 256 << 10
NAME_BYTES_MAX = 64

DocumentName = Annotated[str, MaxLen(NAME_BYTES_MAX)]


class Directory(Protocol):
    """Records and documents of runs, under the key of whoever published them.

    Nobody can publish in another's name, and nobody can hide what another has published except by
    keeping it from spreading. What is published vanishes some time after its publisher does, and is
    renewed until then. Raises NetworkError where the directory does not answer within its deadline.
    """

    me: PeerId

    async def publish(self, record: PeerRecord) -> None:
        """Publish this peer's own record, replacing its last one of that run."""

    async def members(self, run: bytes) -> dict[PeerId, PeerRecord]:
        """The verified records of a run, of whoever says that it takes part: not a roster."""

    async def publish_document(self, run: bytes, name: str, signed_bytes: bytes) -> None:
        """Publish a document, e.g. the run's description or its genesis; opaque bytes here."""

    async def document(self, run: bytes, name: str, publisher: PeerId) -> bytes | None:
        """The document that `publisher` has published under this name, or None."""

    async def close(self) -> None:
        """Stop renewing and disconnect. May be repeated."""


def check_document(name: str, content: bytes) -> None:
    """Raise ConfigurationError for a name or content that no directory takes."""
    if not name.isascii() or not 1 <= len(name) <= NAME_BYTES_MAX or "/" in name:
        raise ConfigurationError(
            f"a document's name has 1 to {NAME_BYTES_MAX} ASCII characters and no slash, not {name!r}"
        )
    if len(content) > DOCUMENT_BYTES_MAX:
        raise ConfigurationError(
            f"the document {name} has {len(content)} bytes, over the limit of {DOCUMENT_BYTES_MAX}: "
            "publish its digest instead"
        )
