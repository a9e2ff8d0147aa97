"""Memory for large vectors and blobs, each a mapping of its own, in huge pages if the kernel has them.

The usual allocator makes fresh pages for each large vector, which the kernel fills with zeros one by one: as
much time as an update. Or it keeps those that are free in its heap, which goes to pieces between vectors and
blobs of other sizes. Here what has been a vector is one again when its last view, numpy's or torch's, is
gone, and what has been a blob goes back to the system.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import weakref
from collections import deque
from contextlib import suppress
from functools import cache

import numpy as np
import numpy.typing as npt

MAPPED_BYTES_MIN = 1 << 20
"""Smaller ones come from the usual allocator, which is good at them."""

ROUND_BYTES = 1 << 18
"""Sizes are rounded up to it: what is a little longer than a vector, as the rows of a part together or
aligned parameters, fits where one was."""

FREE_MAX = 3
"""Mappings that are kept free: those of a candidate's parameters and two moments, which there are from an
update to the end of the step."""

_free: deque[mmap.mmap] = deque()


_M_ARENA_MAX = -8  # malloc.h of glibc


def settle() -> None:
    """Let all threads of this process share one heap: each would keep free memory of its own. Call it before
    there are threads. Nothing is done without glibc."""
    if (libc := _glibc()) is not None:
        libc.mallopt(_M_ARENA_MAX, 1)


def trim() -> None:
    """Give free memory of the heap back to the system. It takes some milliseconds. Nothing is done without
    glibc."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def octets(count: int) -> npt.NDArray[np.uint8]:
    """Return room for a blob of `count` bytes, with any bytes in it."""
    if count < MAPPED_BYTES_MIN:
        return np.empty(count, np.uint8)
    return np.frombuffer(_map(count), np.uint8)


def is_mapped(count: int) -> bool:
    """Return whether `floats(count)` is a mapping of its own."""
    return 4 * count >= MAPPED_BYTES_MIN


def floats(count: int) -> npt.NDArray[np.float32]:
    """Return a float32 vector (count,) with any numbers in it, in memory that is used again."""
    if not is_mapped(count):
        return np.empty(count, np.float32)
    mapping = _take(-(-4 * count // ROUND_BYTES) * ROUND_BYTES)
    # Views of the vector have it as their base, not the mapping, so it lives as long as any of them.
    vector = np.frombuffer(mapping, np.float32, count)
    weakref.finalize(vector, _give_back, mapping).atexit = False
    return vector


def _take(size_bytes: int) -> mmap.mmap:
    """Return a free mapping of this size, or a new one."""
    for _ in range(len(_free)):
        with suppress(IndexError):  # another thread may take it
            mapping = _free.popleft()
            if len(mapping) == size_bytes:
                return mapping
            _free.append(mapping)
    return _map(size_bytes)


def _map(size_bytes: int) -> mmap.mmap:
    mapping = mmap.mmap(-1, size_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without huge pages
            mapping.madvise(mmap.MADV_HUGEPAGE)
    return mapping


def _give_back(mapping: mmap.mmap) -> None:
    # Called wherever the last reference goes, also within `_take`: hence no lock. What is dropped is
    # unmapped.
    _free.append(mapping)
    if len(_free) > FREE_MAX:
        with suppress(IndexError):
            _free.popleft()
