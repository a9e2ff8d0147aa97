"""What honest gradients measure, and the tau and Delta_max that follow."""

from __future__ import annotations

import json

import pytest
import torch
from typer.testing import CliRunner

from btard.cli import app
from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.lab.norms import SEED, measure
from btard.training import BlobStore, Engine
from btard.training.tasks.digits import digits
from tests.tasks import blobs


def test_norms_are_about_the_mean_of_the_step() -> None:
    recipe = blobs()
    engine = Engine(recipe, BlobStore(1 << 20), SEED)
    seeds = [digest("measured norm", bytes([peer]), bytes(8)) for peer in range(4)]
    rows = torch.stack([engine.compute_gradient(0, seed) for seed in seeds]).double()
    (step,) = measure(recipe, 4, 1).steps
    assert step.whole == pytest.approx(sorted((rows - rows.mean(0)).norm(dim=1).tolist()), rel=1e-5)
    assert step.gradient == pytest.approx(float(rows.norm(dim=1).sort().values[1:3].mean()), rel=1e-5)


def test_the_suggestion_hardly_depends_on_the_number_of_peers() -> None:
    """A norm of a part would differ by 2 between 4 and 16 peers."""
    few, many = (measure(digits(), peers, 12) for peers in (4, 16))
    assert few.tau == pytest.approx(many.tau, rel=0.25)
    assert few.delta_max == pytest.approx(many.delta_max, rel=0.3)
    assert few.tau < few.delta_max
    for step in many.steps[6:]:
        assert step.unevenness < 1.6, "parts are alike"


def test_training_by_the_suggested_tau_suggests_it_again() -> None:
    by_mean = measure(digits(), 8, 12)
    by_rule = measure(digits(), 8, 12, by_mean.tau)
    assert by_rule.tau == pytest.approx(by_mean.tau, rel=0.25)
    assert by_rule.steps[3].whole != by_mean.steps[3].whole


@pytest.mark.parametrize(
    ("peers", "steps", "named"), [(1, 1, "peers is 1"), (65, 1, "peers"), (2, 0, "steps is 0")]
)
def test_impossible_numbers_are_refused(peers: int, steps: int, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        measure(blobs(), peers, steps)


def test_the_command_says_what_to_write_into_a_recipe() -> None:
    arguments = ["measure-norms", "--peers", "3", "--steps", "4"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    suggested = found["suggested"]
    assert f"tau={suggested['tau']:g}" in shown.output
    assert f"delta_max={suggested['delta_max']:g}" in shown.output
    assert [step["step"] for step in found["steps"]] == [0, 1, 2, 3]
    assert "0 to 0" in shown.output
