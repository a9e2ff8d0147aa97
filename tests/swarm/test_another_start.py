"""A peer whose data, model or optimizer is not the run's is told so in one sentence, before it has a seat."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.swarm.commands import btard, start, wait_for_line

OWN = """
import torch
from torch import nn
from btard.data import Images
from btard.training import AdamW, Recipe
from btard.training.tasks.classifier import Classifier

def images():
    pixels = torch.arange(40.0).reshape(10, 4)
    pixels[0, 0] += {shift}
    labels = torch.arange(10) % 2
    return Images("own", pixels[:8], labels[:8], pixels[8:], labels[8:], 2)

def model():
    return nn.Sequential(nn.Linear(4, 2), nn.{layer}())

recipe = Recipe(Classifier("own", images, model), 4, {optimizer})
"""
SAME = {"shift": "0.0", "layer": "GELU", "optimizer": "AdamW(learning_rate=0.01)"}


def machine(folder: Path, **changes: str) -> Path:
    """The folder of a person who has this task."""
    folder.mkdir()
    (folder / "own_task.py").write_text(OWN.format(**{**SAME, **changes}))
    return folder


def test_a_recipe_with_a_lambda_makes_no_run(tmp_path: Path) -> None:
    home = machine(tmp_path / "home", optimizer="lambda named: torch.optim.SGD(named, lr=0.1)")
    said = btard("bootstrap", "--task", "own_task:recipe", "--print-config", cwd=home)
    assert said.returncode == 1
    assert said.stdout == ""
    assert "own_task.<lambda> cannot be described to other peers" in said.stderr
    assert len(said.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"shift": "1e-6"}, ["data images"]),
        ({"layer": "ReLU"}, ["architecture"]),
        (
            {"optimizer": "AdamW(learning_rate=0.02)"},
            ["optimizer", "learning_rate=0.02", "learning_rate=0.01"],
        ),
        (
            {"optimizer": "lambda named: torch.optim.SGD(named, lr=0.1)"},
            ["own_task.<lambda> cannot be described"],
        ),
    ],
    ids=str,
)
def test_a_peer_that_starts_from_something_else_never_asks_for_a_seat(
    changes: dict[str, str], named: list[str], tmp_path: Path
) -> None:
    plan = ("--task", "own_task:recipe", "--peers", "2", "--host", "127.0.0.1", "--json")
    bootstrap = start(["bootstrap", *plan], machine(tmp_path / "bootstrap"))
    try:
        address = json.loads(wait_for_line(bootstrap, '"announced"'))["addresses"][0]
        other = machine(tmp_path / "other", **changes)
        joining = ("--task", "own_task:recipe", "--host", "127.0.0.1")
        peer = btard("peer", "--join", address, *joining, cwd=other)
    finally:
        bootstrap.kill()
        bootstrap.communicate()
    assert peer.returncode == 1, peer.stdout + peer.stderr
    assert all(each in peer.stderr for each in named), peer.stderr
    assert "joined" not in peer.stdout
    assert len(peer.stderr.splitlines()) == 1
