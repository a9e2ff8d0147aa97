"""First parameters from a public seed: the same bytes on every platform."""

from __future__ import annotations

import math

import torch
from torch import nn

from btard.training.sampling import normal, uniform


def initialise(model: nn.Module, seed: bytes, *, std: float = 0.02, truncated: bool = False) -> None:
    """Set all parameters of any model, as BERT's authors do (Devlin et al. 2019; `transformers` too).

    Scales of normalisation layers (any module with "Norm" in its class name) become 1, biases 0, the
    `padding_idx` row of an embedding 0. All else is drawn from the normal law of deviation `std`, which ends
    at two deviations if `truncated`. A parameter draws from the keystream "initial NAME" of `seed`, NAME
    being its name in `named_parameters()`: tied ones are drawn once, under their first name. Buffers stay.
    """
    modules = reversed([*model.modules()])
    owners = {id(parameter): module for module in modules for parameter in module.parameters(recurse=False)}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            owner, kind = owners[id(parameter)], name.rpartition(".")[2]
            if kind.endswith("bias"):
                parameter.zero_()
            elif "Norm" in type(owner).__name__:
                parameter.fill_(1)
            else:
                drawn = normal(seed, f"initial {name}", parameter.numel(), std, truncated)
                parameter.copy_(drawn.view_as(parameter))
                if isinstance(owner, nn.Embedding) and owner.padding_idx is not None:
                    parameter[owner.padding_idx].zero_()


def initialise_by_fan_in(model: nn.Module, seed: bytes, name: str) -> None:
    """Draw weights and biases of the linear and convolutional layers, uniform in +-1/sqrt(fan in).

    It is the law that torch draws them by. Layer i of `model.modules()` among those, from 0, takes the
    keystreams "`name` i weight" and "`name` i bias" of `seed`. Other parameters are left as they are.
    """
    layers = (module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d))
    for index, layer in enumerate(layers):
        fan_in = layer.weight[0].numel()
        with torch.no_grad():
            for kind, parameter in layer.named_parameters():
                drawn = uniform(seed, f"{name} {index} {kind}", parameter.numel())
                parameter.copy_((drawn / math.sqrt(fan_in)).view_as(parameter))
