"""The samples that every worker takes in a step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from btard.data import Images
from btard.lab.partition import Indices


class Batches:
    """Draws every worker's batch from the samples that it holds, with replacement.

    Indices are drawn on the CPU, so that all devices train on the same samples; the images are on `device`.
    """

    def __init__(
        self,
        images: Images,
        held: Sequence[Indices],
        batch_size: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self.classes = images.classes
        self._images = images.train_images.to(device)
        self._labels_S = images.train_labels.to(device)
        self._batch_size = batch_size
        self._generator = generator
        self._sizes_N1 = torch.tensor([[len(own)] for own in held])
        self._held_NM = pad_sequence([torch.from_numpy(own) for own in held], batch_first=True)

    def indices(self) -> Tensor:
        """Return the indices of the next step's samples, (n, b) int64, on the CPU."""
        shape = (len(self._held_NM), self._batch_size)
        # In float64 a uniform number below 1 times a size below 2^53 stays below that size.
        uniform_NB = torch.rand(shape, generator=self._generator, dtype=torch.float64)
        return self._held_NM.gather(1, (uniform_NB * self._sizes_N1).long())

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return the next step's images (n, b, ...) and labels (n, b), both new."""
        indices_NB = self.indices().to(self._labels_S.device)
        return self._images[indices_NB], self._labels_S[indices_NB]
