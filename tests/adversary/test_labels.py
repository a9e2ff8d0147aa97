"""Labels flipped from outside of a task."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from btard.adversary.labels import FlippedLabels

SCORES = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, -100])
FLIPPED = torch.tensor([2, 1, 0, -100])

LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "function": lambda labels: functional.cross_entropy(SCORES, labels),
    "keywords": lambda labels: functional.cross_entropy(input=SCORES, target=labels, reduction="sum"),
    "module": lambda labels: nn.CrossEntropyLoss(label_smoothing=0.1)(SCORES, labels),
    "nll": lambda labels: functional.nll_loss(SCORES, labels),
    "images": lambda labels: functional.cross_entropy(SCORES.T.reshape(1, 3, 2, 2), labels.view(1, 2, 2)),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_loss_is_that_of_the_flipped_labels_and_ignored_ones_stay(loss: Callable[[Tensor], Tensor]) -> None:
    with FlippedLabels() as labels:
        poisoned = loss(LABELS)
    assert labels.flipped
    assert torch.equal(poisoned, loss(FLIPPED))
    assert not torch.equal(poisoned, loss(LABELS))


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_next_label_is_that_of_tokens_and_the_last_one_goes_to_the_first(
    loss: Callable[[Tensor], Tensor],
) -> None:
    with FlippedLabels("next"):
        poisoned = loss(LABELS)
    assert torch.equal(poisoned, loss(torch.tensor([1, 2, 0, -100])))


def test_labels_are_right_again_outside_of_the_block() -> None:
    before = functional.cross_entropy(SCORES, LABELS)
    with FlippedLabels():
        functional.cross_entropy(SCORES, LABELS)
    assert torch.equal(before, functional.cross_entropy(SCORES, LABELS))


def test_loss_without_class_labels_is_left_alone() -> None:
    with FlippedLabels() as labels:
        functional.mse_loss(SCORES, SCORES)
        functional.cross_entropy(SCORES, SCORES.softmax(1))
    assert not labels.flipped
