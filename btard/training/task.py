"""The interface of tasks, which users implement."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor, nn


class Task(Protocol):
    """Model and data of a run, as pure functions of public seeds.

    Every peer must be able to recompute every other peer's gradient, so nothing may depend on
    anything but the arguments: no files that others lack, no clock, no state between calls.

    The engine seeds torch's global generators from `seed` around `build` and `loss`, so initialisers
    and `nn.Dropout` are reproducible on like devices. CPU and CUDA generators give different numbers:
    a task for mixed hardware draws masks on the CPU, or from `btard.crypto.keystream`, and moves them.
    """

    @property
    def name(self) -> str:
        """The name in the registry and in the run's configuration."""
        ...

    def build(self, seed: bytes) -> nn.Module:
        """Return the initial model, float32, on the CPU. Buffers (running statistics) never change later.

        torch's own initialisers differ in the last bits between processors: for a run on unlike hardware use
        `btard.training.initialise`.
        """
        ...

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        """Return the scalar training loss of the batch that the 32-byte `seed` names, on the model's device.

        Prefer smooth activations: see protocols/fingerprint.md on what a ReLU's kink does to recomputation.
        """
        ...

    def evaluate(self, model: nn.Module) -> Mapping[str, float]:
        """Return the quality on held-out data, name -> number, the most telling first.

        By custom `loss` is the mean loss, `accuracy` and every name that ends so a share in [0, 1]: progress
        shows it in percent.
        """
        ...


@runtime_checkable
class Described(Protocol):
    """A task whose data and vocabulary have digests, which become part of the run's description: a peer with
    other ones is refused before it joins."""

    def fingerprints(self) -> dict[str, str]:
        """Return name -> hexadecimal digest: of data as the model is given them, of a vocabulary, of any file
        that gradients depend on. Raises ConfigurationError if one is missing."""
        ...


@runtime_checkable
class Exporting(Protocol):
    """A task that writes its model for others itself, in place of `save_pretrained` or a file of tensors."""

    def export(self, model: nn.Module, directory: Path) -> None:
        """Write the trained model into `directory`, which is empty. Raises OSError as the disk does."""
        ...
