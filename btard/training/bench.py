"""The bench: the module on the device, on which gradients are taken and models evaluated."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from btard.errors import ConfigurationError
from btard.training.determinism import seeded
from btard.training.dropout import reseed
from btard.training.micro_batches import micro_batches
from btard.training.precision import autocast
from btard.training.recipe import Recipe
from btard.training.start import build
from btard.training.state import trainable
from btard.training.vector import unflatten_into

LOSS_SCALE = 2.0**10
"""What a loss is multiplied by before the derivative under fp16, so that small derivatives are not lost below
its range. A power of two, so that dividing by it is exact; a fixed one, so that all peers use the same."""


class Bench:
    """The model of a recipe as a module on `device`, built from the run's `seed`.

    Parameters are put on it before every use, and buffers put back to what `task.build` made them, so that
    everything here is a function of its arguments. One call at a time.
    """

    def __init__(self, recipe: Recipe, seed: bytes, device: torch.device) -> None:
        if recipe.precision == "fp16" and device.type != "cuda":
            raise ConfigurationError(f"precision is fp16 on {device.type}: use a CUDA device, or bf16")
        self._recipe = recipe
        self.device = device
        self.module = build(recipe.task, seed).to(device)
        self.on_micro_batch: Callable[[int, int], None] | None = None
        """Called while a gradient is taken, on the thread that takes it, with the micro-batches done, from 0
        on, and how many there are."""
        self.loss: float | None = None
        """The mean training loss of the last gradient that was taken; None before the first."""
        self._parameters = [parameter for _, parameter in trainable(self.module, recipe.task.name)]
        self._buffers = [buffer.clone() for buffer in self.module.buffers()]

    def tensors(self, vector: Tensor) -> dict[str, Tensor]:
        """Return the state_dict of the model with parameters (d,), buffers included, copied to the CPU."""
        self._place(vector)
        return {name: tensor.cpu().clone() for name, tensor in self.module.state_dict().items()}

    def evaluate(self, vector: Tensor) -> dict[str, float]:
        """Return the task's metrics of the model with parameters (d,), in float32, by name.

        Raises ConfigurationError if the task returns anything else than numbers by name.
        """
        self._place(vector)
        self.module.eval()
        with torch.no_grad():
            found = self._recipe.task.evaluate(self.module)
        try:
            return {str(name): float(value) for name, value in found.items()}
        except (AttributeError, TypeError, ValueError):
            raise ConfigurationError(
                f"evaluate of task {self._recipe.task.name} returns {type(found).__name__} that is not "
                'numbers by name: return a mapping such as {"loss": 0.5}'
            ) from None

    def gradient(self, vector: Tensor, seed: bytes) -> Tensor:
        """Return the gradient (d,), float32 on the CPU, of the batch of `seed` at parameters (d,): the mean
        over its micro-batches, summed in float32 in their order, clipped if the recipe says so.

        A gradient that is not finite counts as zero, by rule: everyone who recomputes it finds the same,
        and a diverging model costs nobody its seat. One micro-batch without a finite gradient is enough.
        """
        self._place(vector)
        self.module.train()
        batches = micro_batches(self._recipe, seed)
        total = torch.empty(vector.numel(), dtype=torch.float32, device=self.device)
        losses = 0.0
        self._tell(0, len(batches))
        for done, (own_seed, size) in enumerate(batches):
            losses += self._add_gradient(own_seed, size, total, first=done == 0)
            self._tell(done + 1, len(batches))
        self.loss = losses / len(batches)
        gradient = total.div_(len(batches) * self._scale).cpu()
        if not bool(torch.isfinite(gradient).all()):
            return torch.zeros_like(gradient)
        if self._recipe.clip is not None:
            norm = float(gradient.double().norm())
            if norm > self._recipe.clip:
                gradient *= self._recipe.clip / norm
        return gradient

    def _add_gradient(self, seed: bytes, size: int, total: Tensor, first: bool) -> float:
        """Add the gradient of one micro-batch, times the scale, to `total`, or write it if it is the first.
        Return its loss."""
        with seeded(seed, self.device):
            self._restore_buffers()
            reseed(self.module, seed)
            with self._autocast():
                loss = self._recipe.task.loss(self.module, seed, size)
            scaled = loss.float() * self._scale
            pieces = torch.autograd.grad(scaled, self._parameters, materialize_grads=True)
        start = 0
        for piece in pieces:
            place = total[start : start + piece.numel()].view(piece.shape)
            start += piece.numel()
            if first:
                place.copy_(piece)
            else:
                place.add_(piece)
        # On CUDA this waits for the work before it: `on_micro_batch` tells of what is done.
        return float(loss.detach())

    @property
    def _scale(self) -> float:
        return LOSS_SCALE if self._recipe.precision == "fp16" else 1.0

    def _autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a loss is computed in the recipe's precision."""
        return autocast(self._recipe.precision, self.device)

    def _tell(self, done: int, total: int) -> None:
        if self.on_micro_batch is not None:
            self.on_micro_batch(done, total)

    def _place(self, vector: Tensor) -> None:
        unflatten_into(vector, self._parameters)
        self._restore_buffers()

    def _restore_buffers(self) -> None:
        with torch.no_grad():
            for buffer, original in zip(self.module.buffers(), self._buffers, strict=True):
                buffer.copy_(original)
