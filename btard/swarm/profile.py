"""Profiles of a swarm: TOML files with the options of `btard swarm`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from btard.node.profile import read_profile


class SwarmProfile(BaseModel):
    """The options of `btard swarm` that a profile gives, under their names with `_` for `-`.

    The command takes them in place of its defaults, and refuses what is out of bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task: str | None = None
    option: list[str] | None = None
    peers: int | None = None
    byzantine: str | None = None
    attack_start: int | None = None
    steps: int | None = None
    validators: int | None = None
    tau: float | None = None
    clip: float | None = None
    seed: int | None = None
    in_process: bool | None = None
    require_bans: bool | None = None
    out: str | None = None


def load_swarm_profile(path: Path) -> dict[str, Any]:
    """Return the options in a file. Raises ConfigurationError, in one sentence, as `read_profile` does."""
    return read_profile(path, SwarmProfile)
