"""The role profiles of `peers/`, and what a profile may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from btard.adversary import ADVERSARIES, parameters
from btard.errors import ConfigurationError
from btard.node.profile import load_profile, profile_names, profile_path, trainer_profile

PEERS = Path(__file__).parent.parent / "peers"


def written(folder: Path, text: str) -> Path:
    path = folder / "profile.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_there_is_a_profile_for_every_role_and_every_adversary() -> None:
    assert set(profile_names()) == {"bootstrap", "trainer", *ADVERSARIES}


@pytest.mark.parametrize("kind", ADVERSARIES)
def test_profile_of_an_adversary_spells_out_all_its_parameters(kind: str) -> None:
    profile = load_profile(profile_path(kind))
    assert profile.role == "trainer"
    assert profile.misbehaviour is not None
    assert profile.misbehaviour[0] == kind
    assert set(profile.misbehaviour[1]) == set(parameters(kind))


@pytest.mark.parametrize("role", ["bootstrap", "trainer"])
def test_honest_roles_have_no_adversary(role: str) -> None:
    profile = load_profile(profile_path(role))
    assert profile.role == role
    assert profile.misbehaviour is None


@pytest.mark.parametrize("name", profile_names())
def test_profile_begins_with_what_it_does_and_an_adversary_s_with_what_to_expect(name: str) -> None:
    text = profile_path(name).read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert ("# Expected: " in text) == (name in ADVERSARIES)


def test_the_table_of_outcomes_names_every_adversary_and_every_reason() -> None:
    table = (PEERS / "README.md").read_text(encoding="utf-8")
    assert [kind for kind in ADVERSARIES if f"`{kind}`" not in table] == []
    reasons = {r for kind in ADVERSARIES.values() for r in kind.reasons if not r.startswith("silent")}
    assert [reason for reason in sorted(reasons) if reason not in table] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("role = ", "is not TOML"),
        ('role = "king"', "wrong: role is 'king': input should be"),
        ("", "wrong: role is missing"),
        ('role = "trainer"\ncolour = "red"', "wrong: there is no field colour"),
        ('role = "trainer"\nadversary = "sign_flip"', "wrong: adversary is 'sign_flip'"),
        ('role = "trainer"\n[adversary]\nscale = 2.0', r"wrong: adversary\.kind is missing"),
        ('role = "trainer"\n[adversary]\nkind = "nobody"', "choose one of alie"),
        ('role = "trainer"\n[adversary]\nkind = "sign_flip"\nsize = 2', "no parameter 'size'"),
        ('role = "trainer"\n[adversary]\nkind = "sign_flip"\nstart = -1', "starts at step 0 or later"),
        ('role = "trainer"\n[adversary]\nkind = "sign_flip"\nscale = "x"', "is a finite float"),
        ('role = "bootstrap"\n[adversary]\nkind = "sign_flip"', "only trainers attack"),
    ],
)
def test_bad_profile_is_refused_in_one_sentence_that_names_the_file(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        load_profile(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_profile_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load_profile(path)
    path.write_bytes(b"#" * (1 << 20))
    with pytest.raises(ConfigurationError, match="shorten it"):
        load_profile(path)


def test_missing_profile_is_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"can't be read .* sign_flip"):
        load_profile(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match=r"no profile 'nobody': .* sign_flip"):
        profile_path("nobody")


def test_bootstrap_s_profile_is_refused_for_a_trainer() -> None:
    assert trainer_profile("sign_flip").misbehaviour is not None
    with pytest.raises(ConfigurationError, match="use `btard bootstrap`"):
        trainer_profile("bootstrap")
