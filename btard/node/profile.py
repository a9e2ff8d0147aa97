"""Role profiles: TOML files that say what a peer is. Those of `peers/` are found by name."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from btard.adversary import make_adversary
from btard.crypto import Identity
from btard.errors import ConfigurationError, first_error

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROFILE_BYTES_MAX = 64 << 10


class AdversarySection(BaseModel):
    """`[adversary]`: the kind; everything else are its parameters (`btard.adversary.parameters`)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that are given."""
        return dict(self.model_extra or {})


class Profile(BaseModel):
    """`role`: a bootstrap announces a run and trains nothing, a trainer holds a seat; `adversary`: how this
    trainer misbehaves, if it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["bootstrap", "trainer"]
    adversary: AdversarySection | None = None

    @property
    def misbehaviour(self) -> tuple[str, dict[str, Any]] | None:
        """Kind and parameters of the adversary, None for an honest peer."""
        return None if self.adversary is None else (self.adversary.kind, self.adversary.params)


def profile_names() -> tuple[str, ...]:
    """The names of the profiles that come with btard, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def profile_path(name: str) -> Path:
    """Where the profile of a name is. Raises ConfigurationError, naming those that there are."""
    if name not in profile_names():
        raise ConfigurationError(f"there is no profile {name!r}: choose one of {', '.join(profile_names())}")
    return _folder() / f"{name}.toml"


def load_profile(path: str | Path) -> Profile:
    """Read a profile file. Raises ConfigurationError, in one sentence, on anything that cannot be: a file
    that is missing or is not TOML, an unknown role, field, adversary or parameter, a value out of bounds."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the profile {path} can't be read ({error.strerror}): give a file or one of "
            f"{', '.join(profile_names())}"
        ) from None
    if len(data) > PROFILE_BYTES_MAX:
        raise ConfigurationError(f"the profile {path} is larger than {PROFILE_BYTES_MAX} bytes: shorten it")
    try:
        profile = Profile.model_validate(tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the profile {path} is not TOML: {error}") from None
    except ValidationError as error:
        raise ConfigurationError(f"the profile {path} is wrong: {first_error(error)}") from None
    _check(profile, path)
    return profile


def trainer_profile(name_or_path: str) -> Profile:
    """The profile of `btard peer`: one of `peers/` by its name, or a file. Raises ConfigurationError where
    it's none of a trainer."""
    known = name_or_path in profile_names()
    profile = load_profile(profile_path(name_or_path) if known else name_or_path)
    if profile.role != "trainer":
        role = profile.role
        raise ConfigurationError(f"the profile {name_or_path} is a {role}'s: use `btard {role}`")
    return profile


def _check(profile: Profile, path: Path) -> None:
    if profile.adversary is None:
        return
    if profile.role == "bootstrap":
        raise ConfigurationError(f"the profile {path} gives a bootstrap an adversary: only trainers attack")
    try:
        make_adversary(profile.adversary.kind, Identity.from_seed(bytes(32)), b"", **profile.adversary.params)
    except ConfigurationError as error:
        raise ConfigurationError(f"the profile {path} is wrong: {error}") from None


def _folder() -> Path:
    """`btard/peers` of an installed wheel, `peers` of a source tree."""
    package = Path(str(files("btard")))
    installed = package / "peers"
    return installed if installed.is_dir() else package.parent / "peers"
