"""First weights are drawn by their law, from the seed alone, for any module."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from btard.training import initialise
from btard.training.sampling import normal, quantile


def test_quantiles_are_those_of_the_normal_law_into_the_far_tails() -> None:
    ends = 2.0 ** -np.arange(2, 34)
    shares = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 50_001), ends, 1 - ends])
    np.testing.assert_allclose(quantile(shares), stats.norm.ppf(shares), rtol=0, atol=1e-14)


def test_normal_numbers_follow_their_law() -> None:
    drawn = normal(bytes(32), "law", 100_000, 0.5).numpy()
    assert stats.kstest(drawn, stats.norm(scale=0.5).cdf).pvalue > 0.01
    cut = normal(bytes(32), "law", 100_000, 0.5, truncated=True).numpy()
    assert stats.kstest(cut, stats.truncnorm(-2, 2, scale=0.5).cdf).pvalue > 0.01
    assert 0.99 < np.abs(cut).max() <= 1.0


def test_a_longer_draw_begins_with_the_shorter_one() -> None:
    long = normal(bytes(32), "law", 40_000, 0.02)
    assert torch.equal(normal(bytes(32), "law", 5, 0.02), long[:5])
    assert not torch.equal(normal(bytes(32), "other", 5, 0.02), long[:5])
    assert not torch.equal(normal(bytes([1]) * 32, "law", 5, 0.02), long[:5])


class Odd(nn.Module):
    """Layers of all kinds, a tied weight, a parameter of its own, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8, padding_idx=3)
        self.norm = nn.LayerNorm(8)
        self.batch = nn.BatchNorm1d(8)
        self.layer = nn.Linear(8, 20)
        self.layer.weight = self.embedding.weight
        self.query = nn.Parameter(torch.full((30, 40), torch.nan))
        self.register_buffer("kept", torch.full((2,), 7.0))


def test_each_parameter_is_set_by_its_kind() -> None:
    model = Odd()
    initialise(model, bytes(32), std=0.1)
    assert torch.equal(model.embedding.weight[3], torch.zeros(8))
    assert model.layer.weight is model.embedding.weight
    for norm in (model.norm, model.batch):
        assert torch.equal(norm.weight, torch.ones(8))
        assert torch.equal(norm.bias, torch.zeros(8))
    assert torch.equal(model.layer.bias, torch.zeros(20))
    assert float(model.query.detach().std()) == pytest.approx(0.1, rel=0.1)
    assert model.kept.tolist() == [7.0, 7.0]


def test_what_torch_drew_before_does_not_matter() -> None:
    models = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        models.append(Odd())
        initialise(models[-1], bytes(32), truncated=True)
    pairs = zip(models[0].parameters(), models[1].parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    initialise(models[1], bytes([1]) * 32, truncated=True)
    assert not torch.equal(models[0].query, models[1].query)


def test_a_layer_of_a_transformer_is_set_whatever_its_parameters_are_called() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 64)
    initialise(layer, bytes(32))
    constant = {name: float(p.detach()[0]) for name, p in layer.named_parameters() if p.dim() == 1}
    assert constant == {name: float(name in ("norm1.weight", "norm2.weight")) for name in constant}
    matrices = [p for p in layer.parameters() if p.dim() == 2]
    assert len(matrices) == 4
    assert all(float(p.detach().std()) == pytest.approx(0.02, rel=0.2) for p in matrices)
