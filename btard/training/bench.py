"""The bench: the module on the device, on which gradients are taken and models evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import accumulate

import torch
from torch import Tensor, nn

from btard.errors import ConfigurationError
from btard.memory import floats, is_mapped
from btard.training.determinism import seeded
from btard.training.dropout import reseed
from btard.training.micro_batches import micro_batches
from btard.training.optimizers.arithmetic import norm as norm_of
from btard.training.precision import autocast
from btard.training.recipe import Recipe
from btard.training.start import build
from btard.training.state import trainable
from btard.training.vector import is_finite, unflatten_into

LOSS_SCALE = 2.0**10
"""What a loss is multiplied by before the derivative under fp16, so that small derivatives are not lost below
its range. A power of two, so that dividing by it is exact; a fixed one, so that all peers use the same."""


ALIGNED = 16
"""Parameters begin at multiples of so many numbers, 64 bytes, as torch lays them: its kernels may round
otherwise at other places."""


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
        self._module = build(recipe.task, seed).to(device)
        self.on_micro_batch: Callable[[int, int], None] | None = None
        """Called while a gradient is taken, on the thread that takes it, with the micro-batches done, from 0
        on, and how many there are."""
        self.loss: float | None = None
        """The mean training loss of the last gradient that was taken; None before the first."""
        self._parameters = [parameter for _, parameter in trainable(self._module, recipe.task.name)]
        self._layouts = [(parameter.shape, parameter.stride()) for parameter in self._parameters]
        self._dimension = sum(parameter.numel() for parameter in self._parameters)
        self._resting = False
        self._buffers = [buffer.clone() for buffer in self._module.buffers()]

    @property
    def module(self) -> nn.Module:
        """The module. Its parameters are what was put on them last; after `rest`, any numbers."""
        self._wake()
        return self._module

    def rest(self) -> None:
        """Let go of the parameters' memory until they are put on the module again: a peer on a CPU has
        another use for it meanwhile. Nothing is done on other devices, and for small models."""
        if self.device.type == "cpu" and is_mapped(self._dimension):
            self._resting = True
            for parameter in self._parameters:
                parameter.data = torch.empty(0)

    def tensors(self, vector: Tensor) -> dict[str, Tensor]:
        """Return the state_dict of the model with parameters (d,), buffers included, copied to the CPU."""
        self._place(vector)
        return {name: tensor.cpu().clone() for name, tensor in self._module.state_dict().items()}

    def evaluate(self, vector: Tensor) -> dict[str, float]:
        """Return the task's metrics of the model with parameters (d,), in float32, by name.

        Raises ConfigurationError if the task returns anything else than numbers by name.
        """
        self._place(vector)
        self._module.eval()
        with torch.no_grad():
            found = self._recipe.task.evaluate(self._module)
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
        self._module.train()
        batches = micro_batches(self._recipe, seed)
        total = self._empty().zero_()
        losses = 0.0
        self._tell(0, len(batches))
        with self._gradients_in(total):
            for done, (own_seed, size) in enumerate(batches):
                losses += self._add_gradient(own_seed, size)
                self._tell(done + 1, len(batches))
        self.loss = losses / len(batches)
        gradient = total.div_(len(batches) * self._scale).cpu()
        if not is_finite(gradient):
            return gradient.zero_()
        if self._recipe.clip is not None:
            norm = norm_of(gradient.numpy())
            if norm > self._recipe.clip:
                gradient *= self._recipe.clip / norm
        return gradient

    @contextmanager
    def _gradients_in(self, total: Tensor) -> Iterator[None]:
        """Let autograd add the gradients of all parameters to `total` (d,), tensor by tensor: a list of them
        would be another copy."""
        start = 0
        for parameter in self._parameters:
            parameter.grad = total[start : start + parameter.numel()].view(parameter.shape)
            start += parameter.numel()
        try:
            yield
        finally:
            for parameter in self._parameters:
                parameter.grad = None

    def _add_gradient(self, seed: bytes, size: int) -> float:
        """Add the gradient of one micro-batch, times the scale, to every `grad`. Return its loss."""
        with seeded(seed, self.device):
            self._restore_buffers()
            reseed(self._module, seed)
            with self._autocast():
                loss = self._recipe.task.loss(self._module, seed, size)
            scaled = loss.float() * self._scale
            torch.autograd.backward(scaled, inputs=self._parameters)
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

    def _empty(self) -> Tensor:
        """Return a float32 vector (d,) on the device, with any numbers in it."""
        if self.device.type == "cpu":
            return torch.from_numpy(floats(self._dimension))
        return torch.empty(self._dimension, dtype=torch.float32, device=self.device)

    def _place(self, vector: Tensor) -> None:
        self._wake()
        unflatten_into(vector, self._parameters)
        self._restore_buffers()

    def _wake(self) -> None:
        """Give the parameters memory again."""
        if self._resting:
            self._resting = False
            places = [0, *accumulate(-(-shape.numel() // ALIGNED) * ALIGNED for shape, _ in self._layouts)]
            memory = torch.from_numpy(floats(places.pop()))
            for parameter, (shape, stride), start in zip(
                self._parameters, self._layouts, places, strict=True
            ):
                parameter.data = memory.as_strided(shape, stride, start)

    def _restore_buffers(self) -> None:
        with torch.no_grad():
            for buffer, original in zip(self._module.buffers(), self._buffers, strict=True):
                buffer.copy_(original)
