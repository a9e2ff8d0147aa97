"""The profiles of `peers/`, what a profile may say, and the table of adversaries."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from btard.adversary import ADVERSARIES, AdversaryTerm, make_adversary, parameters, parse_adversary
from btard.adversary.gradient_attack import GradientAdversary
from btard.cli import app
from btard.crypto import Identity
from btard.errors import ConfigurationError
from btard.node.profile import PROFILES, Profile, load_profile
from btard.protocol.messages import PHASES

README = (Path(__file__).parent.parent / "peers" / "README.md").read_text(encoding="utf-8")
TABLE = README[README.index("| adversary |") :]
ROWS = [
    [cell.strip(" `") for cell in line[1:].split(" |")] for line in TABLE.splitlines() if line[:3] == "| `"
]


def written(folder: Path, text: bytes) -> str:
    path = folder / "profile.toml"
    path.write_bytes(text)
    return str(path)


def join(*options: str) -> str:
    """What `btard peer` says of options that it refuses."""
    error = CliRunner().invoke(app, ["peer", *options]).exception
    assert isinstance(error, ConfigurationError)
    return str(error)


def test_profile_takes_the_options_that_the_command_takes() -> None:
    command = typer.main.get_command(app).commands["peer"]  # type: ignore[attr-defined]
    programs = {"profile", "colluders", "json", "no_out", "phases", "tied"}
    assert set(Profile.model_fields) == {option.name for option in command.params} - programs


def test_shipped_profiles_are_readable_and_say_more_than_a_name() -> None:
    assert PROFILES.names() == ("gpu", "sleeper", "trainer")
    assert all(len(load_profile(name)) > 1 for name in PROFILES.names())
    assert all(f"`{name}.toml`" in README for name in PROFILES.names())
    assert parse_adversary(load_profile("sleeper")["byzantine"]).name == "alie"


def test_profile_is_taken_for_the_defaults_and_the_command_line_goes_before_it(tmp_path: Path) -> None:
    path = written(tmp_path, b'join = "nowhere"\nbyzantine = "nobody"')
    assert "'nobody' is not an adversary" in join("--profile", path)
    assert "'somebody' is not an adversary" in join("--profile", path, "--byzantine", "somebody")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"device = ", "is not TOML"),
        (b"\xff\xfe", "is not text"),
        (b"#" * (2 << 20), "shorten it"),
        (b"colour = 'red'", "wrong: there is no field colour: choose of join, task, byzantine"),
        (b"port = 'high'", "wrong: port is 'high'"),
        (b"evaluate_every = 2.5", "wrong: evaluate_every is 2.5"),
        (b"[adversary]\nkind = 'sign_flip'", "wrong: there is no field adversary"),
    ],
    ids=["no value", "no text", "large", "unknown key", "no port", "no number", "table"],
)
def test_bad_profile_is_refused_in_one_sentence_that_names_the_file(
    tmp_path: Path, text: bytes, sentence: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        load_profile(path)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_profile_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no profile .nobody.: .* one of gpu, sleeper, trainer"):
        load_profile("nobody")


@pytest.mark.parametrize("kind", ADVERSARIES)
def test_table_has_every_adversary_with_its_parameters_and_their_defaults(kind: str) -> None:
    adversary = make_adversary(kind, Identity.from_seed(bytes(32)), b"")
    holders = [adversary.attack, adversary] if isinstance(adversary, GradientAdversary) else [adversary]
    names = [name for name in parameters(kind) if name not in ("start", "period")]
    held = {name: next(getattr(each, name) for each in holders if hasattr(each, name)) for name in names}
    defaults = AdversaryTerm("", held).text
    assert [row[1] for row in ROWS if row[0] == kind] == [defaults.replace("=None", "").strip("()")]


def test_table_names_no_other_adversary_and_every_reason_and_phase() -> None:
    assert {parse_adversary(row[0]).name for row in ROWS} == set(ADVERSARIES)
    reasons = {r for kind in ADVERSARIES.values() for r in kind.reasons if not r.startswith("silent")}
    assert [reason for reason in sorted(reasons) if reason not in TABLE] == []
    assert f"one of {', '.join(PHASES)}." in README.replace("\n", " ")
