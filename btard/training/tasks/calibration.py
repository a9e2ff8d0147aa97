"""Running statistics of batch normalisation, as a function of the model and of public images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def calibrate(model: nn.Module, images: Tensor, at_once: int) -> None:
    """Set the running statistics of a model to their means over `images`, `at_once` of them a batch.

    Peers with the same parameters have the same ones then, up to rounding, whatever they computed before.
    Leaves the model in eval mode. Does nothing if the model has no batch normalisation. A model of batch
    normalisation that was saved needs it before use: its file has the parameters that peers agreed on, and
    statistics of nothing.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        return
    for layer in layers:
        layer.reset_running_stats()
    device = next(model.parameters()).device
    model.train()
    with torch.no_grad():
        for chunk in torch.split(images, at_once):
            model(chunk.to(device))
    model.eval()
