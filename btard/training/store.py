"""The blobs that a peer holds, by digest, within a bound."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from btard.errors import ConfigurationError
from btard.training.hashing import digests
from btard.types import Bytes, Digest

BLOB_DOMAIN = "blob"


class BlobStore:
    """Maps a digest to the bytes that it names. `fits` says whether bytes of others may come in: at most
    `capacity_bytes` in all. What this machine makes always has room; the protocol bounds it.

    Names are computed by this process, never taken on trust. The network fills it on the event loop while the
    engine reads and fills it on a worker thread, hence the lock.
    """

    def __init__(self, capacity_bytes: int) -> None:
        if capacity_bytes < 1:
            raise ConfigurationError(f"capacity_bytes is {capacity_bytes}: use at least 1")
        self._capacity_bytes = capacity_bytes
        self._blobs: dict[Digest, Bytes] = {}
        self._size_bytes = 0
        self._young: set[Digest] | None = None
        self._lock = threading.Lock()

    def put(self, data: Bytes) -> Digest:
        """Hold a blob; returns `digest("blob", data)`. A blob that is put again counts as new.

        The bytes are not copied, so those behind a memoryview must not change any more.
        Ask `fits` before accepting bytes of others: a full store refuses those, and stops no own work.
        """
        return self.put_all([data])[0]

    def put_all(self, blobs: Sequence[Bytes]) -> tuple[Digest, ...]:
        """Hold some blobs, as `put` does; their names are computed side by side."""
        names = digests(BLOB_DOMAIN, blobs)
        for name, data in zip(names, blobs, strict=True):
            self.hold(name, data)
        return tuple(names)

    def hold(self, name: Digest, data: Bytes) -> None:
        """Hold a blob whose name was computed from these very bytes by this process; `put` if it was not."""
        with self._lock:
            if self._young is not None:
                self._young.add(name)
            if name not in self._blobs:
                self._blobs[name] = data
                self._size_bytes += len(data)

    def renew(self, name: Digest) -> int | None:
        """Let a held blob count as new; return its size in bytes, None if it is not held."""
        with self._lock:
            data = self._blobs.get(name)
            if data is None:
                return None
            if self._young is not None:
                self._young.add(name)
            return len(data)

    def begin_generation(self) -> None:
        """From now on `retain` keeps what arrives, named or not: it belongs to what comes next."""
        with self._lock:
            self._young = set()

    def resize(self, capacity_bytes: int) -> None:
        """Change the capacity; all held blobs stay."""
        self._capacity_bytes = capacity_bytes

    def fits(self, size_bytes: int) -> bool:
        """Return whether there is room for a blob of this size now."""
        return self._size_bytes + size_bytes <= self._capacity_bytes

    def get(self, name: Digest) -> Bytes | None:
        """Return the bytes of this digest, None if they are not held."""
        return self._blobs.get(name)

    def retain(self, keep: Iterable[Digest]) -> None:
        """Forget every blob that is neither named in `keep` nor of the current generation."""
        with self._lock:
            wanted = {*keep, *(self._young or ())}
            self._blobs = {name: data for name, data in self._blobs.items() if name in wanted}
            self._size_bytes = sum(map(len, self._blobs.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._blobs

    def __len__(self) -> int:
        return len(self._blobs)
