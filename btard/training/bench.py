"""The bench: the module on the device, on which gradients are taken and models evaluated."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from btard.errors import ConfigurationError
from btard.training.determinism import seeded
from btard.training.optimizers.arithmetic import norm as norm_of
from btard.training.recipe import Recipe
from btard.training.start import build
from btard.training.state import trainable
from btard.training.vector import flatten, is_finite, unflatten_into


class Bench:
    """The model of a recipe as a module on `device`, built from the run's `seed`.

    Parameters are put on it before every use, and buffers put back to what `task.build` made them, so that
    everything here is a function of its arguments. One call at a time.
    """

    def __init__(self, recipe: Recipe, seed: bytes, device: torch.device) -> None:
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
        """Return the task's metrics of the model with parameters (d,), by name.

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
        """Return the gradient (d,), float32 on the CPU, of the batch of `seed` at parameters (d,), clipped if
        the recipe says so.

        A gradient that is not finite counts as zero, by rule: everyone who recomputes it finds the same,
        and a diverging model costs nobody its seat.
        """
        self._place(vector)
        self.module.train()
        self._tell(0, 1)
        with seeded(seed, self.device):
            loss = self._recipe.task.loss(self.module, seed, self._recipe.batch_size)
            pieces = torch.autograd.grad(loss, self._parameters, materialize_grads=True)
        self.loss = float(loss.detach())
        self._tell(1, 1)
        gradient = flatten(pieces)
        if not is_finite(gradient):
            return torch.zeros_like(gradient)
        if self._recipe.clip is not None:
            norm = norm_of(gradient.numpy())
            if norm > self._recipe.clip:
                gradient *= self._recipe.clip / norm
        return gradient

    def _tell(self, done: int, total: int) -> None:
        if self.on_micro_batch is not None:
            self.on_micro_batch(done, total)

    def _place(self, vector: Tensor) -> None:
        unflatten_into(vector, self._parameters)
        with torch.no_grad():
            for buffer, original in zip(self.module.buffers(), self._buffers, strict=True):
                buffer.copy_(original)
