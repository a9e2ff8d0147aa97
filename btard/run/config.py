"""The configuration on which all peers of a run must agree: its digest is the run id."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from btard.codec import CODECS
from btard.crypto import digest
from btard.errors import ConfigurationError, RunMismatchError, first_error
from btard.protocol.constants import ProtocolConfig
from btard.training.engine import Engine
from btard.training.recipe import Recipe
from btard.training.registry import load_recipe
from btard.training.store import BlobStore
from btard.types import Digest

PEERS_MAX = 64
"""Seats of a run. The wire has room for more, but the bytes of a dispute grow with the fourth power of the
roster: protocols/broadcast.md has the figures."""

STORE_MODELS_PER_SEAT = 4
"""Capacity of a peer's blob store, in units of models for each seat. An attempt takes three (own parts, rows,
aggregates), evidence one more. An abort that removes a peer changes all parts, and the old ones stay until
the step is done. This bounds the worst minority; it is not allocated."""


class RunConfig(BaseModel):
    """A run: task, recipe (`Recipe.describe`), seed, steps, seats at the start, clipping of the stochastic
    gradient (BTARD-Clipped-SGD) and the protocol's constants."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["btard/2"] = "btard/2"
    task: Annotated[str, Field(max_length=64)]
    recipe: dict[str, str]
    seed: Annotated[int, Field(ge=-(2**127), lt=2**127)]
    steps: Annotated[int, Field(ge=1, le=2**40)]
    peers: Annotated[int, Field(ge=1, le=PEERS_MAX)]
    clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    codec: Literal["fp32"] = "fp32"
    protocol: ProtocolConfig

    @classmethod
    def create(
        cls,
        task: str,
        *,
        steps: int,
        peers: int,
        seed: int = 0,
        clip: float | None = None,
        protocol: ProtocolConfig | None = None,
    ) -> RunConfig:
        """Make a run of a task that this machine knows. Raises ConfigurationError for impossible values."""
        protocol = protocol or ProtocolConfig()
        recipe = _adapt(load_recipe(task), clip, protocol).describe()
        try:
            return cls(
                task=task, recipe=recipe, seed=seed, steps=steps, peers=peers, clip=clip, protocol=protocol
            )
        except ValidationError as error:
            raise ConfigurationError(first_error(error)) from None

    @classmethod
    def from_bytes(cls, raw: bytes) -> RunConfig:
        """Read what `to_bytes` wrote. Raises ConfigurationError for anything else."""
        try:
            config = cls.model_validate_json(raw)
        except ValidationError as error:
            raise ConfigurationError(f"this version cannot read the run: {first_error(error)}") from None
        if config.to_bytes() != raw:
            raise ConfigurationError("this run's description is not in canonical form: ask who published it")
        return config

    @classmethod
    def load(cls, path: Path) -> RunConfig:
        """Read a file of what `to_bytes` wrote. Raises ConfigurationError if it is missing or differs."""
        try:
            return cls.from_bytes(path.read_bytes().strip())
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {os.strerror(error.errno or 0)}") from error
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from None

    def to_bytes(self) -> bytes:
        """Return canonical JSON: sorted keys, no spaces, ASCII."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode("ascii")

    @property
    def digest(self) -> Digest:
        """The run id."""
        return digest("run", self.to_bytes())

    def local_recipe(self) -> Recipe:
        """Return the recipe that this machine knows. Raises RunMismatchError if it differs from the run's."""
        recipe = _adapt(load_recipe(self.task, published=True), self.clip, self.protocol)
        if differing := _differences(recipe.describe(), self.recipe):
            raise RunMismatchError(
                f"task {self.task} differs: {'; '.join(differing)}; install the version that the run uses"
            )
        return recipe

    def engine(self, store: BlobStore, device: str = "cpu") -> Engine:
        """Return an engine at the run's initial model."""
        seed = digest("model seed", self.seed.to_bytes(16, "little", signed=True))
        return Engine(self.local_recipe(), store, seed, device, CODECS[self.codec])

    def differences(self, other: RunConfig) -> list[str]:
        """Return the fields in which two runs differ, for people."""
        return _differences(_flat(self.model_dump(mode="json")), _flat(other.model_dump(mode="json")))


def _adapt(recipe: Recipe, clip: float | None, protocol: ProtocolConfig) -> Recipe:
    clip = recipe.clip if clip is None else clip
    return dataclasses.replace(recipe, clip=clip, projections=protocol.directions)


def _differences(mine: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return [
        f"{name} ({mine.get(name)} here, {theirs.get(name)} there)"
        for name in sorted({*mine, *theirs})
        if mine.get(name) != theirs.get(name)
    ]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
