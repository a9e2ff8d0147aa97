"""ResNet-18 for small images (He et al. 2016), with normalisation by groups of channels or by the batch."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from btard.errors import ConfigurationError

STAGES = (64, 128, 256, 512)
BLOCKS = 2
GROUPS = 32


Norm = Callable[[int], nn.Module]
"""Number of channels -> a layer that normalises them."""


def resnet18(norm: str = "group") -> nn.Module:
    """Return a ResNet-18 on (B, 3, H, W) for 10 classes, 11,173,962 parameters; (B, 10) comes out.

    As usual for 32x32 pixels, the stem is a 3x3 convolution and there is no pooling before the last layer.
    `norm` is "group" or "batch", with as many parameters; anything else raises ConfigurationError.

    *group*: GroupNorm of 32 groups (Wu, He 2018). There are no running statistics. *batch*: BatchNorm as in
    He et al. and in the experiments of Gorbunov et al. 2022. A gradient takes the statistics of its own batch
    (with micro-batches: of each), a function of parameters and seed. The running ones would depend on the
    batches that a peer happened to compute; they are no part of the model that peers agree on. `calibrate`
    makes them anew from the parameters and fixed training images, whenever a model is evaluated.

    Deviation from both: GELU for ReLU, because a gradient without kinks is the same on every machine up to
    rounding.
    """
    norms: dict[str, Norm] = {"group": _group, "batch": _batch}
    if norm not in norms:
        raise ConfigurationError(f"norm is {norm!r}: use {' or '.join(norms)}")
    make = norms[norm]
    layers: list[nn.Module] = [_convolution(3, STAGES[0], 1), make(STAGES[0]), nn.GELU()]
    width = STAGES[0]
    for stage, wider in enumerate(STAGES):
        for block in range(BLOCKS):
            layers.append(Residual(width, wider, stride=2 if stage and not block else 1, norm=make))
            width = wider
    return nn.Sequential(*layers, SpatialMean(), nn.Linear(width, 10))


class Residual(nn.Module):
    """Two convolutions, and a way around them: identity, or 1x1 if the shape changes."""

    def __init__(self, narrow: int, wide: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _convolution(narrow, wide, stride),
            norm(wide),
            nn.GELU(),
            _convolution(wide, wide, 1),
            norm(wide),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or narrow != wide:
            straight = nn.Conv2d(narrow, wide, kernel_size=1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(straight, norm(wide))
        self.activation = nn.GELU()

    def forward(self, images: Tensor) -> Tensor:
        """(B, narrow, H, W) -> (B, wide, H / stride, W / stride)."""
        result: Tensor = self.activation(self.residual(images) + self.shortcut(images))
        return result


class SpatialMean(nn.Module):
    """The mean over height and width: unlike adaptive pooling, its backward is deterministic on CUDA."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C)."""
        return images.mean((2, 3))


def _convolution(narrow: int, wide: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(narrow, wide, kernel_size=3, stride=stride, padding=1, bias=False)


def _group(width: int) -> nn.Module:
    return nn.GroupNorm(GROUPS, width)


def _batch(width: int) -> nn.Module:
    # Without momentum, running statistics are means over all batches since they were reset: see `calibrate`.
    return nn.BatchNorm2d(width, momentum=None)
