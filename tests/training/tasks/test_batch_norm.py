"""Batch normalisation in a swarm: statistics of the batch in gradients, of public images in evaluations."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from btard.data import Images
from btard.errors import ConfigurationError
from btard.training import SGD, BlobStore, Engine, Recipe
from btard.training.tasks.calibration import calibrate
from btard.training.tasks.classifier import Classifier
from btard.training.tasks.resnet import resnet18


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, momentum=None), nn.GELU(), nn.Flatten(), nn.Linear(36, 3)
    )


def images() -> Images:
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randn(60, 1, 5, 5, generator=generator) * 2 + 1
    labels = torch.arange(60) % 3
    return Images("noise", pixels[:40], labels[:40], pixels[40:], labels[40:], 3)


def recipe() -> Recipe:
    data = images()
    return Recipe(Classifier("small", lambda: data, small), 8, SGD(learning_rate=0.1))


def test_what_a_peer_computed_before_is_in_no_gradient_and_no_evaluation() -> None:
    fresh, busy = (Engine(recipe(), BlobStore(1 << 20), bytes(32)) for _ in range(2))
    for index in range(5):
        busy.compute_gradient(0, bytes([index]) * 32)
    busy.evaluate()
    seed = bytes([9]) * 32
    assert torch.equal(busy.compute_gradient(0, seed), fresh.compute_gradient(0, seed))
    assert busy.evaluate() == fresh.evaluate()
    assert busy.model_digest == fresh.model_digest


def test_an_evaluation_has_the_statistics_of_the_training_images() -> None:
    data, model = images(), recipe().task.build(bytes(32))
    calibrate(model, data.train_images, at_once=40)
    convolved = model[0](data.train_images)
    norm = model[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    torch.testing.assert_close(norm.running_mean, convolved.mean((0, 2, 3)).detach())
    torch.testing.assert_close(norm.running_var, convolved.transpose(0, 1).flatten(1).var(1).detach())
    assert not model.training


def test_a_model_without_batch_normalisation_is_left_as_it_is() -> None:
    model = nn.Linear(2, 2)
    model.train()
    calibrate(model, torch.zeros(1, 2), at_once=1)
    assert model.training


def test_the_resnet_has_as_many_parameters_with_either_norm() -> None:
    sizes = {norm: sum(p.numel() for p in resnet18(norm).parameters()) for norm in ("group", "batch")}
    assert set(sizes.values()) == {11_173_962}
    with pytest.raises(ConfigurationError, match="norm is 'layer': use group or batch"):
        resnet18("layer")
