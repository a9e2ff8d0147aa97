"""The blob store keeps its bound and trusts no name."""

from __future__ import annotations

from btard.crypto import digest
from btard.training import BlobStore
from btard.types import Digest


def test_a_blob_is_named_by_its_bytes() -> None:
    store = BlobStore(100)
    name = store.put(b"part")
    assert name == digest("blob", b"part")
    assert name in store
    assert store.get(name) == b"part"
    assert store.get(Digest(bytes(32))) is None


def test_a_full_store_has_no_room_for_others_and_stops_no_own_work() -> None:
    store = BlobStore(10)
    name = store.put(bytes(8))
    assert not store.fits(3)
    assert store.fits(2)
    own = store.put(bytes(3))
    assert store.put(bytes(8)) == name
    assert (len(store), own in store, store.fits(0)) == (2, True, False)


def test_forgetting_makes_room() -> None:
    store = BlobStore(10)
    kept, gone = store.put(b"kept"), store.put(b"gone!")
    store.retain([kept, Digest(bytes(32))])
    assert kept in store
    assert gone not in store
    assert store.fits(6)
