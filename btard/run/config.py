"""What all peers of a run must agree on: a plan, which a person writes, and a run, one instance of it."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from btard.codec import CODECS
from btard.crypto import digest
from btard.errors import ConfigurationError, RunMismatchError, first_error
from btard.protocol.constants import ProtocolConfig
from btard.run.admission import Admission, Allow, Open
from btard.training.engine import Engine
from btard.training.probe import check_arithmetic
from btard.training.recipe import Recipe
from btard.training.registry import load_recipe
from btard.training.start import describe_start
from btard.training.store import BlobStore
from btard.types import Digest

PEERS_MAX = 64
"""Seats of a run. The wire has room for more, but the bytes of a dispute grow with the fourth power of the
roster: protocols/broadcast.md has the figures."""

STORE_MODELS_PER_SEAT = 4
"""Capacity of a peer's blob store, in units of models for each seat. An attempt takes three (own parts, rows,
aggregates), evidence one more. An abort that removes a peer changes all parts, and the old ones stay until
the step is done. This bounds the worst minority; it is not allocated."""


OPTIONS_MAX = 32
OptionName = Annotated[str, Field(max_length=64)]
OptionText = Annotated[str, Field(max_length=256)]
"""Bounds of the options that a stranger's run may name."""

NONCE_BYTES = 32

SHOWN_MAX = 400
"""Characters of a value that differs, in the sentence about it."""

Plan = TypeVar("Plan", bound="RunPlan")


class RunPlan(BaseModel):
    """What a run is to be: task and its options, recipe (`Recipe.describe`), digests of the initial model and
    of the data (`describe_start`), seed, steps, seats at the start and who may take them, clipping of the
    stochastic gradient (BTARD-Clipped-SGD) and the protocol's constants."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["btard/4"] = "btard/4"
    task: Annotated[str, Field(max_length=64)]
    options: Annotated[dict[OptionName, OptionText], Field(max_length=OPTIONS_MAX)] = {}
    recipe: dict[str, str]
    start: dict[str, str]
    seed: Annotated[int, Field(ge=-(2**127), lt=2**127)]
    steps: Annotated[int, Field(ge=1, le=2**40)]
    peers: Annotated[int, Field(ge=1, le=PEERS_MAX)]
    admission: Admission = Open()
    clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    codec: Literal["fp32"] = "fp32"
    protocol: ProtocolConfig

    @model_validator(mode="after")
    def _check_seats(self) -> RunPlan:
        if isinstance(self.admission, Allow) and len(self.admission.peers) < self.peers:
            raise ValueError(f"{self.peers} seats for {len(self.admission.peers)} allowed keys: allow more")
        return self

    @staticmethod
    def create(
        task: str,
        *,
        steps: int,
        peers: int,
        options: Mapping[str, str] = MappingProxyType({}),
        seed: int = 0,
        clip: float | None = None,
        protocol: ProtocolConfig | None = None,
        admission: Admission | None = None,
    ) -> RunPlan:
        """Plan a run of a task that this machine knows: build its model and read its data, for their digests.
        Raises ConfigurationError for impossible values, and for a recipe that has no text (`spell`)."""
        protocol = protocol or ProtocolConfig()
        recipe = _adapt(load_recipe(task, options=options, steps=steps), clip, protocol)
        try:
            plan = RunPlan(
                task=task,
                options=dict(options),
                recipe=recipe.describe(),
                start={},
                seed=seed,
                steps=steps,
                peers=peers,
                admission=admission or Open(),
                clip=clip,
                protocol=protocol,
            )
        except ValidationError as error:
            raise ConfigurationError(first_error(error)) from None
        return plan.model_copy(update={"start": describe_start(recipe, plan.model_seed)})

    @classmethod
    def from_bytes(cls: type[Plan], raw: bytes) -> Plan:
        """Read what `to_bytes` wrote. Raises ConfigurationError for anything else."""
        try:
            config = cls.model_validate_json(raw)
        except ValidationError as error:
            raise ConfigurationError(f"this version cannot read the run: {first_error(error)}") from None
        if config.to_bytes() != raw:
            raise ConfigurationError("this run's description is not in canonical form: ask who published it")
        return config

    @classmethod
    def load(cls: type[Plan], path: Path) -> Plan:
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

    def begin(self, nonce: bytes) -> RunConfig:
        """Return a run of this plan. `nonce` is 32 bytes that no other run has: of `os.urandom`, outside of
        tests. Raises ConfigurationError for another size."""
        if len(nonce) != NONCE_BYTES:
            raise ConfigurationError(f"the nonce has {len(nonce)} bytes: use {NONCE_BYTES} bytes")
        fields = {name: getattr(self, name) for name in RunPlan.model_fields}
        return RunConfig(**fields, nonce=nonce.hex())

    def local_recipe(self) -> Recipe:
        """Return the recipe that this machine knows. Raises RunMismatchError if it differs from the run's."""
        mine = load_recipe(self.task, options=self.options, steps=self.steps, published=True)
        recipe = _adapt(mine, self.clip, self.protocol)
        if differing := _differences(recipe.describe(), self.recipe):
            raise RunMismatchError(
                f"task {self.task} differs: {'; '.join(differing)}; install the version that the run uses"
            )
        return recipe

    @property
    def model_seed(self) -> Digest:
        """The seed of x_0."""
        return digest("model seed", self.seed.to_bytes(16, "little", signed=True))

    def engine(self, store: BlobStore, device: str = "cpu") -> Engine:
        """Return an engine at the run's initial model.

        Raises RunMismatchError if this machine's recipe, initial model or data differ from the run's, or if
        its arithmetic cannot keep a portable run's model; ConfigurationError if task or data are missing."""
        recipe = self.local_recipe()
        if recipe.portable:
            check_arithmetic()
        if differing := _differences(describe_start(recipe, self.model_seed), self.start):
            raise RunMismatchError(
                f"task {self.task} starts from something else: {'; '.join(differing)}; use the data and the "
                "versions of task and libraries that the run uses"
            )
        return Engine(recipe, store, self.model_seed, device, CODECS[self.codec])

    def differences(self, other: RunPlan) -> list[str]:
        """Return the fields in which `other`, a plan or a run of it, differs from this plan, for people."""
        mine, theirs = (
            _flat(each.model_dump(mode="json", include=set(RunPlan.model_fields))) for each in (self, other)
        )
        return _differences(mine, theirs)


class RunConfig(RunPlan):
    """A run: one instance of a plan. Whoever starts it draws `nonce`, 64 hexadecimal digits, so that nothing
    that is said in one run is valid in another run of the same plan."""

    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def digest(self) -> Digest:
        """The run id."""
        return digest("run", self.to_bytes())


def _adapt(recipe: Recipe, clip: float | None, protocol: ProtocolConfig) -> Recipe:
    clip = recipe.clip if clip is None else clip
    return dataclasses.replace(recipe, clip=clip, projections=protocol.directions)


def _differences(mine: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return [
        f"{_shown(name)} ({_shown(mine.get(name))} here, {_shown(theirs.get(name))} there)"
        for name in sorted({*mine, *theirs})
        if mine.get(name) != theirs.get(name)
    ]


def _shown(value: Any) -> Any:
    """Return a value for people; texts of a stranger are cut, and shown without control characters."""
    if isinstance(value, str):
        return (value if value.isprintable() else repr(value))[:SHOWN_MAX]
    return f"{len(value)} values" if isinstance(value, list) else value


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
