"""Profiles: TOML files with the options of `btard peer`. Those of `peers/` are found by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from btard.errors import ConfigurationError, first_error
from btard.resources import Shipped, parse_toml, read_text

PROFILES = Shipped("profile", "peers", "peers")


class Profile(BaseModel):
    """The options of `btard peer` that a profile gives, under their names with `_` for `-`.

    The command takes them in place of its defaults, and refuses what is out of bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    join: str | None = None
    task: str | None = None
    byzantine: str | None = None
    invite: str | None = None
    key: str | None = None
    out: str | None = None
    overwrite: bool | None = None
    resume: bool | None = None
    config: str | None = None
    host: str | None = None
    port: int | None = None
    announce: list[str] | None = None
    device: str | None = None
    wait: float | None = None
    evaluate_every: int | None = None
    checkpoint_every: int | None = None
    keep_checkpoints: int | None = None
    track: list[str] | None = None


def load_profile(name_or_path: str) -> dict[str, Any]:
    """Return the options of a profile: one of `peers/` by its name, or a file. Raises ConfigurationError as
    `read_profile` does."""
    return read_profile(PROFILES.find(name_or_path), Profile)


def read_profile(path: Path, form: type[BaseModel]) -> dict[str, Any]:
    """Return the options that a file gives, of those that `form` has.

    Raises ConfigurationError, in one sentence, if the file is missing, is not TOML, or has an unknown key or
    a value of the wrong type."""
    text = read_text(path, "profile")
    try:
        return form.model_validate(parse_toml(text)).model_dump(exclude_unset=True)
    except ValidationError as error:
        wrong = first_error(error, form.model_fields)
        raise ConfigurationError(f"the profile {path} is wrong: {wrong}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"the profile {path} is wrong: {error}") from None
