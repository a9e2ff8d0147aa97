"""Flips a task's labels from outside the task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

LabelRule = Literal["mirror", "next"]
"""C - 1 - y, as Gorbunov et al. 2022 do with images (l -> 9 - l), or (y + 1) mod C, as their experiment with
ALBERT does with tokens; with two classes, the order of sentences, both swap them."""

_LOSSES = (functional.cross_entropy, functional.nll_loss)


class FlippedLabels(TorchFunctionMode):
    """Within this block every class label y of a cross-entropy over C classes is another one, by `rule`.

    A task is a pure function that knows nothing of attacks, so the labels are changed in the losses:
    `torch.nn.functional.cross_entropy` and `nll_loss`, and the modules made of them. Ignored labels
    (`ignore_index`) stay. `flipped` says whether there were any labels. For the gradient attack "label
    flipping" of Gorbunov et al. 2022, section 4.1."""

    def __init__(self, rule: LabelRule = "mirror") -> None:
        super().__init__()
        self._rule = rule
        self.flipped = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call torch's function; flip the labels if it is a loss."""
        named = dict(kwargs or {})
        if func not in _LOSSES:
            return func(*args, **named)
        named.update(zip(("input", "target"), args, strict=False))
        scores, target = named.pop("input"), named.pop("target")
        if not target.is_floating_point():
            target = self._flip(scores, target, named.get("ignore_index", -100))
        return func(scores, target, *args[2:], **named)

    def _flip(self, scores: Tensor, target: Tensor, ignored: int) -> Tensor:
        self.flipped = True
        classes = scores.shape[1] if scores.dim() > 1 else scores.shape[0]
        wrong = classes - 1 - target if self._rule == "mirror" else (target + 1) % classes
        return torch.where(target == ignored, target, wrong)
