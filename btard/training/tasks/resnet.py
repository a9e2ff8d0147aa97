"""ResNet-18 for small images (He et al. 2016), without batch normalisation."""

from __future__ import annotations

from torch import Tensor, nn

STAGES = (64, 128, 256, 512)
BLOCKS = 2
GROUPS = 32


def resnet18() -> nn.Module:
    """Return a ResNet-18 on (B, 3, H, W) for 10 classes, 11,173,962 parameters; (B, 10) comes out.

    As usual for 32x32 pixels, the stem is a 3x3 convolution and there is no pooling before the last layer.

    Deviations from He et al., and so from the experiments of Gorbunov et al. 2022:
    GroupNorm of 32 groups (Wu, He 2018) for BatchNorm, whose running statistics are no function of the seed,
    and which mixes the samples of a batch; GELU for ReLU, because a gradient without kinks is the same on
    every machine up to rounding. The number of parameters is the same.
    """
    layers: list[nn.Module] = [_convolution(3, STAGES[0], 1), nn.GroupNorm(GROUPS, STAGES[0]), nn.GELU()]
    width = STAGES[0]
    for stage, wider in enumerate(STAGES):
        for block in range(BLOCKS):
            layers.append(Residual(width, wider, stride=2 if stage and not block else 1))
            width = wider
    return nn.Sequential(*layers, SpatialMean(), nn.Linear(width, 10))


class Residual(nn.Module):
    """Two convolutions, and a way around them: identity, or 1x1 if the shape changes."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _convolution(narrow, wide, stride),
            nn.GroupNorm(GROUPS, wide),
            nn.GELU(),
            _convolution(wide, wide, 1),
            nn.GroupNorm(GROUPS, wide),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or narrow != wide:
            straight = nn.Conv2d(narrow, wide, kernel_size=1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(straight, nn.GroupNorm(GROUPS, wide))
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
