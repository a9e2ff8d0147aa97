"""All workers' gradients at once are those that autograd gives one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from btard.lab.gradients import FlatModel
from btard.training.tasks.digits import perceptron
from btard.training.tasks.mnist import convolutions
from btard.training.tasks.resnet import resnet18
from btard.training.vector import flatten


def frozen_first_layer() -> nn.Module:
    model = perceptron()
    for parameter in model[0].parameters():  # type: ignore[index]
        parameter.requires_grad_(False)
    return model


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (perceptron, (64,)),
        (frozen_first_layer, (64,)),
        (convolutions, (1, 28, 28)),
        # As small as the strides allow: the arithmetic is the same at 32x32.
        (resnet18, (3, 8, 8)),
    ],
)
def test_a_row_is_the_gradient_of_one_worker(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = build()
    assert list(model.buffers()) == []
    images, labels_NB = torch.randn(3, 2, *shape), torch.randint(10, (3, 2))
    flat = FlatModel(model)
    rows_ND = flat.gradients(flat.parameters(), images, labels_NB)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for row_D, images_B, labels_B in zip(rows_ND, images, labels_NB, strict=True):
        alone = torch.autograd.grad(functional.cross_entropy(model(images_B), labels_B), trained)
        torch.testing.assert_close(row_D, flatten(alone), rtol=1e-4, atol=1e-5)


def test_the_model_at_other_parameters_and_its_own_vector_do_not_share_memory() -> None:
    flat = FlatModel(perceptron())
    before_D = flat.parameters()
    moved_D = before_D + 1.0
    model = flat.at(moved_D)
    torch.testing.assert_close(flat.parameters(), before_D + 1.0, rtol=0, atol=0)
    moved_D.zero_()
    assert all(bool(parameter.ne(0).any()) for parameter in model.parameters())


def test_gradients_are_taken_at_the_vector_that_is_given_not_at_the_models_own_parameters() -> None:
    torch.manual_seed(0)
    flat = FlatModel(perceptron())
    x_D = flat.parameters()
    images, labels_NB = torch.randn(2, 3, 64), torch.randint(10, (2, 3))
    expected = flat.gradients(x_D, images, labels_NB)
    flat.at(torch.zeros_like(x_D))
    torch.testing.assert_close(flat.gradients(x_D, images, labels_NB), expected, rtol=0, atol=0)
