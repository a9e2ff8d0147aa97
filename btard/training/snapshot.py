"""A training state as plain data: what is hashed, written to checkpoints and sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.types import Digest


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training state as plain data.

    `settings` is canonical JSON (hyperparameters of the moment, schedule, scalars of the optimizer);
    `tensors` has `model.<parameter>` and `optimizer.<parameter>/<key>`.
    """

    settings: str
    tensors: Mapping[str, Tensor]

    def digest(self) -> Digest:
        """Return the model digest: over names, shapes, dtypes and bytes of all tensors, and the settings."""
        parts: list[bytes | memoryview] = [self.settings.encode()]
        for name in sorted(self.tensors):
            tensor = self.tensors[name].detach().cpu().contiguous()
            parts.append(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            parts.append(tensor.numpy().reshape(-1).view(np.uint8).data)
        return digest("model", *parts)


def canonical(settings: Mapping[str, Any]) -> str:
    """Return settings as canonical JSON: sorted keys, no spaces."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def parse(text: str, shape: Mapping[str, type]) -> dict[str, Any]:
    """Read settings with just the keys of `shape`, and values of its types. Raises ConfigurationError."""
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise mismatch("its settings, which are not JSON") from error
    if not isinstance(settings, dict) or settings.keys() != shape.keys():
        raise mismatch("its settings")
    for key, kind in shape.items():
        if type(settings[key]) is not kind:
            raise mismatch(f"its settings of {key}")
    return settings


def mismatch(what: str) -> ConfigurationError:
    """Return the error for a snapshot of another model or recipe, `what` being the part that differs."""
    return ConfigurationError(f"the checkpoint is of another model or recipe: {what} does not fit")
