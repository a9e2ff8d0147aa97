"""Dropout whose masks are functions of the public seed, on any device."""

from __future__ import annotations

from torch import Tensor, nn

from btard.errors import ConfigurationError
from btard.training.randomness import bernoulli


class SeededDropout(nn.Module):
    """Dropout as `nn.Dropout`, with masks of the keystream in place of torch's generator.

    In training, each element becomes 0 with probability `p`, and the others are divided by 1 - p. `reseed`
    gives all such modules of a model the seed; the engine does it before each micro-batch. Call number n
    after that draws the mask "dropout PATH n", PATH being the module's in `named_modules()`. Not within
    activation checkpointing, which calls a module again and would get the next mask.
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ConfigurationError(f"p is {p}: use 0 to less than 1")
        self.p = p
        self._seed: bytes | None = None
        self._path = ""
        self._calls = 0

    def begin(self, seed: bytes, path: str) -> None:
        """Draw the masks of `seed` from here on, the first one next."""
        self._seed, self._path, self._calls = seed, path, 0

    def forward(self, values: Tensor) -> Tensor:
        """Return `values` with a share of them 0, in training; any shape."""
        if not self.training or self.p == 0:
            return values
        if self._seed is None:
            raise ConfigurationError("a SeededDropout has no seed: call reseed(model, seed) before the model")
        mask = bernoulli(self._seed, f"dropout {self._path} {self._calls}", values.shape, 1 - self.p)
        self._calls += 1
        return values * mask.to(values.device) / (1 - self.p)

    def extra_repr(self) -> str:
        """Return the arguments, which are part of the run's description."""
        return f"p={self.p}"


def reseed(model: nn.Module, seed: bytes) -> None:
    """Give each `SeededDropout` of the model the seed of a micro-batch."""
    for path, module in model.named_modules():
        if isinstance(module, SeededDropout):
            module.begin(seed, path)


def seed_dropout(model: nn.Module) -> None:
    """Put a `SeededDropout` in the place of each `nn.Dropout` of a model, for instance one of transformers.

    Dropout that is not a module stays: attention of transformers in "sdpa" has its own, so build that model
    with `attn_implementation="eager"`, or without dropout of attention.
    """
    for parent in [*model.modules()]:
        for name, child in [*parent.named_children()]:
            if type(child) is nn.Dropout:
                setattr(parent, name, SeededDropout(child.p))
