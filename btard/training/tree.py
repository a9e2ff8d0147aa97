"""The digest of a training state, as a tree over chunks of its tensors: protocols/update.md, section 5.

It is flat: the root is over all leaves. A state of 10^10 bytes has some ten thousand leaves, 32 bytes each,
which is less than a single chunk, so more floors would save nothing. The leaves can be hashed side by side,
and a newcomer that has the leaves of a certified root checks each chunk as it comes, from whomever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.types import Bytes, Digest

CHUNK_BYTES = 1 << 20
"""Bytes of a tensor under one leaf; the last chunk of each tensor has what is left. One is hashed in about a
millisecond, and travels in one message."""

LEAF_DOMAIN = "model chunk"


@dataclass(frozen=True, slots=True)
class Layout:
    """A tensor without its numbers: its name, its type as torch prints it, its shape, its size in bytes."""

    name: str
    kind: str
    shape: tuple[int, ...]
    size_bytes: int

    @property
    def chunks(self) -> int:
        """The number of its chunks; none if it is empty."""
        return -(-self.size_bytes // CHUNK_BYTES)

    def __str__(self) -> str:
        return f"{self.name} {self.kind} {list(self.shape)} {self.size_bytes}"


@dataclass(frozen=True, slots=True)
class Tree:
    """All that a state's digest is of: the settings, the tensors in the order of their names, and the leaves,
    one for each chunk of each tensor in turn.

    Raises ConfigurationError unless there are as many leaves as chunks, so a tree of a stranger that has the
    root that was certified is the certified one.
    """

    settings: str
    tensors: tuple[Layout, ...]
    leaves: tuple[Digest, ...]

    def __post_init__(self) -> None:
        chunks = sum(max(0, tensor.chunks) for tensor in self.tensors)
        if len(self.leaves) != chunks or any(tensor.size_bytes < 0 for tensor in self.tensors):
            raise ConfigurationError(
                f"there are {len(self.leaves)} leaves for {chunks} chunks of the model: ask another peer"
            )

    def digest(self) -> Digest:
        """Return the root."""
        parts = [self.settings.encode()]
        first = 0
        for tensor in self.tensors:
            parts += [str(tensor).encode(), b"".join(self.leaves[first : first + tensor.chunks])]
            first += tensor.chunks
        return digest("model", *parts)

    def chunk(self, index: int) -> tuple[Layout, int, int]:
        """Return where chunk `index` lies: its tensor, its first byte there, its size in bytes.

        Raises ConfigurationError if there is no such chunk."""
        first = 0
        for tensor in self.tensors:
            if 0 <= index - first < tensor.chunks:
                start = (index - first) * CHUNK_BYTES
                return tensor, start, min(CHUNK_BYTES, tensor.size_bytes - start)
            first += tensor.chunks
        raise ConfigurationError(f"chunk {index} does not exist: there are {first}, counted from 0")

    def holds(self, index: int, data: Bytes) -> bool:
        """Return whether these are the bytes of chunk `index`, whoever sent them. Raises as `chunk` does."""
        _, _, size_bytes = self.chunk(index)
        return len(data) == size_bytes and digest(LEAF_DOMAIN, data) == self.leaves[index]


def cut(size_bytes: int) -> Iterator[slice]:
    """Cut a tensor of this size into chunks."""
    for start in range(0, size_bytes, CHUNK_BYTES):
        yield slice(start, min(start + CHUNK_BYTES, size_bytes))
