"""Random crops and flips of a batch, from its seed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from btard.crypto import Draw

PADDING = 4


def crop_and_flip(images: Tensor, seed: bytes) -> Tensor:
    """Each image (B, C, H, W) moved by up to 4 pixels each way, zeros moving in, half of them mirrored.

    The usual augmentation of CIFAR-10 (He et al. 2016, section 4.2), as a pure function of the seed: three
    draws of "augmentation" for each image in turn. Pixels only change places, so it is exact everywhere.
    Deviation: the border is 0 after standardisation, the mean colour; theirs is black.
    """
    batch, _, height, width = images.shape
    draw = Draw(seed, "augmentation")
    moves = [(draw.below(2 * PADDING + 1), draw.below(2 * PADDING + 1), draw.below(2)) for _ in range(batch)]
    down, right, mirrored = torch.tensor(moves).T.unsqueeze(2)
    rows_BH = down + torch.arange(height)
    columns_BW = right + torch.where(mirrored.bool(), torch.arange(width).flip(0), torch.arange(width))
    padded = functional.pad(images, (PADDING,) * 4)
    index_B = torch.arange(batch)
    return padded[index_B[:, None, None], :, rows_BH[:, :, None], columns_BW[:, None, :]].movedim(-1, 1)
