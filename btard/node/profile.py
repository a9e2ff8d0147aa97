"""Profiles: TOML files with the options of `btard peer`. Those of `peers/` are found by name."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from btard.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROFILE_BYTES_MAX = 64 << 10


class Profile(BaseModel):
    """The options of `btard peer` that a profile gives, under their names with `_` for `-`.

    The command takes them in place of its defaults, and refuses what is out of bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    join: str | None = None
    byzantine: str | None = None
    key: str | None = None
    out: str | None = None
    overwrite: bool | None = None
    config: str | None = None
    host: str | None = None
    port: int | None = None
    announce: list[str] | None = None
    device: str | None = None
    wait: float | None = None
    evaluate_every: int | None = None


def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with btard, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def load_profile(name_or_path: str) -> dict[str, Any]:
    """Return the options of a profile: one of `peers/` by its name, or a file.

    Raises ConfigurationError, in one sentence, if the file is missing, is not TOML, or has an unknown key or
    a value of the wrong type."""
    known = name_or_path in profile_names()
    path = _folder() / f"{name_or_path}.toml" if known else Path(name_or_path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the profile {path} cannot be read ({error.strerror}): give a file or one of "
            f"{', '.join(profile_names())}"
        ) from None
    if len(data) > PROFILE_BYTES_MAX:
        raise ConfigurationError(f"the profile {path} is larger than {PROFILE_BYTES_MAX} bytes: shorten it")
    try:
        return Profile.model_validate(tomllib.loads(data.decode())).model_dump(exclude_unset=True)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the profile {path} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        options = ", ".join(Profile.model_fields)
        raise ConfigurationError(
            f"the profile {path} is wrong at {place} ({first['msg']}): it takes {options}"
        ) from None


def _folder() -> Path:
    """`btard/peers` of an installed wheel, `peers` of a source tree."""
    package = Path(str(files("btard")))
    installed = package / "peers"
    return installed if installed.is_dir() else package.parent / "peers"
