"""What of a run lies in the directory: the bootstrap's description and first roster, each peer's addresses.

A newcomer needs none of it while the bootstrap answers (`arrival.py`). It is for those who come, or come
back, when the bootstrap is gone. All is signed by the bootstrap or by the peer that it describes."""

from __future__ import annotations

from btard.crypto import digest
from btard.errors import BtardError, ConfigurationError, HaltedError
from btard.ledger.header import LedgerHeader
from btard.network import Directory, PeerRecord
from btard.network.dht_scope import Document, Scope
from btard.network.record import open_record
from btard.run.config import RunConfig
from btard.types import Digest, PeerId

RUN = "run"
GENESIS = "genesis"

BEGUN_WITHOUT = "the run has begun without this peer: join before all its seats are taken"

Roster = tuple[LedgerHeader, dict[PeerId, PeerRecord]]
"""A run's first roster: the ledger's header, and the addresses of its members that are known."""


def shelf_of(bootstrap: PeerId) -> Digest:
    """Return the key under which a bootstrap's run lies in the directory. Its roster lies under the run id:
    that of an earlier run may lie there still."""
    return digest("rendezvous", bootstrap)


def scope_of(config: RunConfig, bootstrap: PeerId) -> Scope:
    """Return what a peer of a run keeps in the directory for others."""
    documents = (Document(shelf_of(bootstrap), RUN, bootstrap), Document(config.digest, GENESIS, bootstrap))
    listed = getattr(config.admission, "peers", ())
    return Scope(config.digest, documents, (PeerId(bytes.fromhex(key)) for key in listed))


async def publish_run(directory: Directory, introduction: bytes) -> None:
    """Publish a run's signed introduction, as bootstrap. Raises NetworkError."""
    await directory.publish_document(shelf_of(directory.me), RUN, introduction)


async def publish_genesis(directory: Directory, header: LedgerHeader) -> None:
    """Publish the first roster, as bootstrap. Raises NetworkError."""
    config, _ = header.open()
    await directory.publish_document(config.digest, GENESIS, header.to_bytes())


async def look_up_roster(directory: Directory, bootstrap: PeerId, config: RunConfig) -> Roster | None:
    """Return the first roster, if it lies in the directory with addresses of more than half of its members.

    Raises HaltedError if this peer has no seat in it, NetworkError if the directory does not answer."""
    raw = await directory.document(config.digest, GENESIS, bootstrap)
    if raw is None:
        return None
    header = open_genesis(raw, bootstrap, config, directory.me)
    there = await directory.members(config.digest)
    records = {peer: there[peer] for peer in header.members if peer in there}
    return (header, records) if 2 * len(records) > len(header.members) else None


def open_genesis(raw: bytes, bootstrap: PeerId, config: RunConfig, me: PeerId) -> LedgerHeader:
    """Return the header in hostile bytes, if it is this run's and `me` has a seat in it.

    Raises ConfigurationError if it is another run's, or not signed by the bootstrap; HaltedError."""
    try:
        header = LedgerHeader.from_bytes(raw)
        found, _ = header.open()
    except BtardError as error:
        raise ConfigurationError(f"the run's first roster cannot be read: {error}") from None
    if found != config or header.bootstrap != bootstrap:
        raise ConfigurationError(
            "the roster that was told is of another run, or not its bootstrap's: ask who runs it"
        )
    if me not in header.members:
        raise HaltedError(BEGUN_WITHOUT)
    return header


def open_records(raws: tuple[bytes, ...], header: LedgerHeader, run: Digest) -> dict[PeerId, PeerRecord]:
    """Return the genuine records of members in hostile bytes."""
    opened = (open_record(raw) for raw in raws)
    good = (each for each in opened if isinstance(each, PeerRecord) and each.run == run)
    return {each.peer: each for each in good if each.peer in header.members}
