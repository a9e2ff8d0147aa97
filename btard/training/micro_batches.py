"""How a batch is cut into micro-batches, each with a seed of its own."""

from __future__ import annotations

from btard.crypto import digest
from btard.training.recipe import Recipe


def micro_batches(recipe: Recipe, seed: bytes) -> tuple[tuple[bytes, int], ...]:
    """Return (seed, number of samples) of each micro-batch of the batch that the 32-byte `seed` names.

    Micro-batch k has the seed `digest("micro-batch", seed, k as 8 bytes LE)`, so that each can be computed
    without the others. A recipe without `micro_batch` has one, of the whole batch, with the seed itself.
    """
    size = recipe.micro_batch
    if size is None:
        return ((seed, recipe.batch_size),)
    return tuple(
        (digest("micro-batch", seed, index.to_bytes(8, "little")), size)
        for index in range(recipe.batch_size // size)
    )
