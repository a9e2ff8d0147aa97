"""Codecs: how a vector becomes the bytes of a blob. A run's description names the one that it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from btard.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Fp32:
    """Little-endian IEEE 754 single precision, 4 bytes a coordinate, without loss."""

    name: str = "fp32"

    def size_bytes(self, coordinates: int) -> int:
        """The size of the blob of so many coordinates."""
        return 4 * coordinates

    def is_valid(self, data: bytes) -> bool:
        """Whether these are whole coordinates without NaN and Inf. Takes any bytes, never raises."""
        return len(data) % 4 == 0 and bool(np.isfinite(np.frombuffer(data, dtype="<f4")).all())

    def encode(self, vector: Tensor) -> bytes:
        """The bytes of a vector (m,)."""
        return vector.detach().cpu().numpy().astype("<f4", copy=False).tobytes()

    def decode(self, data: bytes) -> Tensor:
        """The float32 vector (m,) whose bytes these are; any NaN or Inf is passed on.

        Raises ConfigurationError if the length is not a multiple of four.
        """
        import torch

        if len(data) % 4:
            raise ConfigurationError(f"a blob of {len(data)} bytes is not float32: send whole coordinates")
        return torch.from_numpy(np.frombuffer(data, dtype="<f4").astype(np.float32))


FP32 = Fp32()
Codec = Fp32
"""The codecs that there are: the type that the rest of the code names."""

CODECS: dict[str, Codec] = {FP32.name: FP32}
"""By the name that a run's description gives."""
