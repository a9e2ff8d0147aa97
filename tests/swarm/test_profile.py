"""Profiles of a swarm: what they may say, and those of the examples."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from btard.adversary import parse_adversaries
from btard.cli import app
from btard.errors import ConfigurationError
from btard.protocol.constants import tolerated
from btard.swarm.profile import SwarmProfile, load_swarm_profile
from btard.training import known_tasks

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PROFILES = [
    EXAMPLES / "albert" / "attack.toml",
    EXAMPLES / "albert" / "honest.toml",
    EXAMPLES / "cifar10" / "attack.toml",
]


def test_a_profile_gives_options_that_the_command_takes() -> None:
    command = typer.main.get_command(app).commands["swarm"]  # type: ignore[attr-defined]
    assert set(SwarmProfile.model_fields) <= {option.name for option in command.params}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_profiles_of_the_examples_name_tasks_and_a_minority_of_adversaries(path: Path) -> None:
    options = load_swarm_profile(path)
    assert options["task"] in known_tasks()
    byzantine = parse_adversaries(options.get("byzantine", ""))
    assert len(byzantine) <= tolerated(options["peers"])


def test_the_attack_on_albert_has_every_kind_of_the_paper() -> None:
    attack, honest = (
        load_swarm_profile(EXAMPLES / "albert" / f"{name}.toml") for name in ("attack", "honest")
    )
    kinds = parse_adversaries(attack.pop("byzantine"))
    assert [each.text for each in kinds] == [
        "sign_flip",
        "random_direction",
        "label_flip(labels=next)",
        "delayed_gradient(delay=20)",
        "ipm(epsilon=0.1)",
        "ipm",
        "alie",
    ]
    # Without its attackers it is the run to compare with.
    del attack["attack_start"], attack["require_bans"], attack["out"], honest["out"]
    assert attack == honest


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("peer = 3", "peer"),
        ('peers = "3"', "peers"),
        ("peers = ", "not TOML"),
        ("[swarm]\npeers = 3", "swarm"),
    ],
)
def test_a_wrong_profile_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=f"is wrong: .*{sentence}"):
        load_swarm_profile(path)


def test_options_of_the_command_line_win_over_those_of_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text("peers = 4\nattack_start = 7\nsteps = 5\n")
    told = CliRunner().invoke(app, ["swarm", "--profile", str(path)]).exception
    assert isinstance(told, ConfigurationError)
    assert "step 7, but the run has 5 steps" in str(told)
    told = CliRunner().invoke(app, ["swarm", "--profile", str(path), "--steps", "6"]).exception
    assert "step 7, but the run has 6 steps" in str(told)
