"""The gradients of all workers in one pass, of a model whose parameters are one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional
from torch.nn.utils import parameters_to_vector

from btard.training.vector import unflatten_into


class FlatModel:
    """A classifier as a function of its parameter vector (d,), the trainable parameters in their order.

    The model must work under `torch.func.vmap`: no buffer changes, no batch statistics.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._sizes = [parameter.numel() for parameter in self._named.values()]
        # The derivative is by the vector, not by its pieces: autograd then writes the rows (n, d) at once.
        self._gradients = vmap(grad(self._loss), in_dims=(None, 0, 0), randomness="different")

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return next(iter(self._named.values())).device

    def parameters(self) -> Tensor:
        """Return a copy of the model's own parameters, (d,)."""
        return parameters_to_vector(self._named.values()).detach().clone()

    def gradients(self, parameters_D: Tensor, images: Tensor, labels_NB: Tensor) -> Tensor:
        """Return (n, d): row i is the gradient of worker i's mean cross-entropy; `images` are (n, b, ...)."""
        rows_ND: Tensor = self._gradients(parameters_D, images, labels_NB)
        return rows_ND

    def at(self, parameters_D: Tensor) -> nn.Module:
        """Return the model itself with these parameters copied in."""
        unflatten_into(parameters_D, list(self._named.values()))
        return self._model

    def _loss(self, parameters_D: Tensor, images: Tensor, labels_B: Tensor) -> Tensor:
        pieces = zip(self._named.items(), torch.split(parameters_D, self._sizes), strict=True)
        named = {name: piece.view_as(parameter) for (name, parameter), piece in pieces}
        return functional.cross_entropy(functional_call(self._model, named, (images,)), labels_B)
