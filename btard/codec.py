"""Codecs: how a vector becomes the bytes of a blob. A run's description names the one that it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from btard.errors import ConfigurationError
from btard.types import Bytes

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

_BLOCK = 1 << 16
"""Numbers that are looked at together: what is computed of them stays in the cache."""


@dataclass(frozen=True, slots=True)
class Fp32:
    """Little-endian IEEE 754 single precision, 4 bytes a coordinate, without loss."""

    name: str = "fp32"

    def size_bytes(self, coordinates: int) -> int:
        """The size of the blob of so many coordinates."""
        return 4 * coordinates

    def is_valid(self, data: Bytes) -> bool:
        """Whether these are whole coordinates without NaN and Inf. Takes any bytes, never raises."""
        if len(data) % 4:
            return False
        numbers = np.frombuffer(data, dtype="<f4")
        starts = range(0, len(numbers), _BLOCK)
        return all(bool(np.isfinite(numbers[start : start + _BLOCK]).all()) for start in starts)

    def encode(self, vector: Tensor) -> bytes:
        """The bytes of a vector (m,)."""
        return vector.detach().cpu().numpy().astype("<f4", copy=False).tobytes()

    def share(self, vector: Tensor) -> Bytes:
        """The bytes of a vector (m,), which must not change any more: its own memory, if on the CPU."""
        array = np.ascontiguousarray(vector.detach().cpu().numpy(), dtype="<f4")
        return array.view(np.uint8).data.toreadonly()

    def decode(self, data: Bytes) -> Tensor:
        """The float32 vector (m,) whose bytes these are; any NaN or Inf is passed on.

        Raises ConfigurationError if the length is not a multiple of four.
        """
        import torch

        return torch.from_numpy(self.read(data).astype(np.float32))

    def read(self, data: Bytes) -> npt.NDArray[np.float32]:
        """The same as an array that cannot be written to: the memory of `data` itself."""
        if len(data) % 4:
            raise ConfigurationError(f"a blob of {len(data)} bytes is not float32: send whole coordinates")
        return np.frombuffer(data, dtype="<f4").astype(np.float32, copy=False)


FP32 = Fp32()
Codec = Fp32
"""The codecs that there are: the type that the rest of the code names."""

CODECS: dict[str, Codec] = {FP32.name: FP32}
"""By the name that a run's description gives."""
