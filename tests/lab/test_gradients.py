"""All workers' gradients at once are those that autograd gives one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from btard.lab.gradients import FlatModel


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(12, 7), nn.GELU(), nn.Linear(7, 4))


def convolution() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 3, 4)),
        nn.Conv2d(1, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(48, 4),
    )


def frozen_first_layer() -> nn.Module:
    model = perceptron()
    for parameter in model[0].parameters():  # type: ignore[index]
        parameter.requires_grad_(False)
    return model


def one_by_one(model: nn.Module, images: Tensor, labels_NB: Tensor) -> Tensor:
    rows = []
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for images_B, labels_B in zip(images, labels_NB, strict=True):
        loss = functional.cross_entropy(model(images_B), labels_B)
        rows.append(torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, trained)]))
    return torch.stack(rows)


@pytest.mark.parametrize("build", [perceptron, convolution, frozen_first_layer])
@pytest.mark.parametrize("workers_at_once", [None, 1, 2])
def test_a_row_is_the_gradient_of_one_worker(build: type[nn.Module], workers_at_once: int | None) -> None:
    torch.manual_seed(0)
    model = build()
    images, labels_NB = torch.randn(5, 6, 12), torch.randint(0, 4, (5, 6))
    flat = FlatModel(model, workers_at_once)
    rows_ND = flat.gradients(flat.parameters(), images, labels_NB)
    torch.testing.assert_close(rows_ND, one_by_one(model, images, labels_NB), rtol=1e-5, atol=1e-6)


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
    images, labels_NB = torch.randn(2, 3, 12), torch.randint(0, 4, (2, 3))
    expected = flat.gradients(x_D, images, labels_NB)
    flat.at(torch.zeros_like(x_D))
    torch.testing.assert_close(flat.gradients(x_D, images, labels_NB), expected, rtol=0, atol=0)
