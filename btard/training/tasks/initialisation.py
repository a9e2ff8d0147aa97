"""First parameters from a public seed: the same bytes on every platform."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from btard.crypto import keystream


def initialise(model: nn.Module, seed: bytes, name: str) -> None:
    """Draw weights and biases of the linear and convolutional layers, uniform in +-1/sqrt(fan in).

    It is the law that torch draws them by. Layer i of `model.modules()` among those, from 0, takes the
    keystreams "`name` i weight" and "`name` i bias" of `seed`. Other parameters are left as they are.
    """
    layers = (module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d))
    for index, layer in enumerate(layers):
        fan_in = layer.weight[0].numel()
        with torch.no_grad():
            for kind, parameter in layer.named_parameters():
                uniform = _uniform(seed, f"{name} {index} {kind}", parameter.numel())
                parameter.copy_((uniform / math.sqrt(fan_in)).view_as(parameter))


def _uniform(seed: bytes, domain: str, count: int) -> Tensor:
    """Return `count` float32 in [-1, 1), multiples of 2^-23: exact, so alike everywhere."""
    words = np.frombuffer(keystream(seed, domain, 4 * count), dtype="<u4")
    return torch.from_numpy((words >> 8).astype(np.float32)) / 2**23 - 1
