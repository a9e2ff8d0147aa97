"""The precision in which a loss is computed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from btard.training.recipe import Precision


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which a loss is computed in `precision` on `device`: torch's autocast, or
    nothing for float32."""
    if precision == "fp32":
        return nullcontext()
    kind = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device.type, dtype=kind)
