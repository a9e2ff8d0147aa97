"""A blob store that survives its process: each blob is a file too, until it is forgotten.

A successor of the process finds what the machine that it becomes relied on (`revival.py`), and the aggregates
of the last steps, from which it computes the model again (`rebuilding.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from btard.crypto import digest
from btard.training.store import BLOB_DOMAIN, BlobStore
from btard.types import Bytes, Digest


class KeptStore(BlobStore):
    """A `BlobStore` whose blobs are files of `folder` as well. Pinned blobs stay there when they are
    forgotten.

    Files are written without a sync: they survive their process, and after a failure of the machine each is
    whole or not found, since its name is its digest. `failed` is why one could not be written: the run goes
    on, but cannot be resumed from here."""

    def __init__(self, folder: Path, capacity_bytes: int = 1) -> None:
        super().__init__(capacity_bytes)
        self._folder = folder
        self._pinned: dict[int, tuple[Digest, ...]] = {}
        self._files: set[Digest] = set()
        self._files_lock = threading.Lock()
        self.failed: OSError | None = None
        for path in folder.glob("*") if folder.is_dir() else ():
            with suppress(ValueError):
                self._files.add(Digest(bytes.fromhex(path.name)))

    def hold(self, name: Digest, data: Bytes) -> None:
        """Hold a blob, and write its file."""
        super().hold(name, data)
        with self._files_lock:
            if name not in self._files and self._write(name, data):
                self._files.add(name)

    def retain(self, keep: Iterable[Digest]) -> None:
        """Forget the blobs that `BlobStore.retain` forgets, and delete their files unless they are pinned."""
        super().retain(keep)
        self._sweep()

    def pin(self, step: int, names: tuple[Digest, ...]) -> None:
        """Keep the files of these blobs, the aggregates of `step`."""
        self._pinned[step] = names

    def unpin_before(self, step: int) -> None:
        """Keep the aggregates of `step` and those that follow, no others. Their files go with the next
        `retain`."""
        for old in [each for each in self._pinned if each < step]:
            del self._pinned[old]

    def fetch(self, name: Digest) -> bool:
        """Hold a blob again whose file is there; return whether it is held now. A file that is not what its
        name says counts as none, and is deleted."""
        if name in self:
            return True
        path = self._folder / name.hex()
        try:
            data = path.read_bytes()
        except OSError:
            return False
        if digest(BLOB_DOMAIN, data) != name:
            with self._files_lock, suppress(OSError):
                self._files.discard(name)
                path.unlink(missing_ok=True)
            return False
        with self._files_lock:
            self._files.add(name)
        self.hold(name, data)
        return True

    def _write(self, name: Digest, data: Bytes) -> bool:
        path = self._folder / name.hex()
        try:
            self._folder.mkdir(exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            self.failed = error
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return False
        return True

    def _sweep(self) -> None:
        with self._files_lock:
            pinned = {name for names in tuple(self._pinned.values()) for name in names}
            for name in [each for each in self._files if each not in self and each not in pinned]:
                self._files.discard(name)
                with suppress(OSError):
                    (self._folder / name.hex()).unlink(missing_ok=True)
