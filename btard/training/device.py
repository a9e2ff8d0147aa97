"""The device that a peer computes on, checked before anything else is done."""

from __future__ import annotations

import re

import torch

from btard.errors import ConfigurationError


def check_device(text: str) -> str:
    """Return `text` if it names a device of this machine. Raises ConfigurationError otherwise."""
    match = re.fullmatch(r"cpu|cuda(?::([0-9]{1,3}))?", text)
    if match is None:
        raise ConfigurationError(f"device is {text!r}: use cpu, cuda or cuda:N")
    if text != "cpu":
        if not (torch.version.cuda or torch.version.hip):
            raise ConfigurationError(f"device is {text!r}: this PyTorch has no CUDA, so use cpu")
        count = torch.cuda.device_count()
        if int(match[1] or 0) >= count:
            raise ConfigurationError(
                f"device is {text!r}: this machine has {count} CUDA devices, from cuda:0"
            )
    return text
