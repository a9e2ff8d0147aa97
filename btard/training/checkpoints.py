"""Checkpoints on disk: safetensors, so that reading one runs no code.

A file at step t has x_t, the optimizer's tensors, and the aggregate that led from x_(t-1) to x_t. An
auditor restores the checkpoint of t - 1, applies that aggregate and must arrive at the digest of t.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from btard.errors import ConfigurationError
from btard.training.snapshot import Snapshot
from btard.training.tensor_file import write_tensors
from btard.types import Digest

FORMAT = "btard-checkpoint-1"

ORIGIN = ("run", "ledger", "model")
"""Of the file's metadata: the digests of `Origin`, in hexadecimal."""

STEP_TEXT = re.compile(r"[0-9]{1,15}")
"""The step in a file's metadata, as text."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a checkpoint is from: the run's id, the ledger's head and the model's digest after the record
    that led to it. What a file says of itself proves nothing: a ledger does."""

    run: Digest
    ledger: Digest
    model: Digest


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The training state at `step`, and the aggregate (d,) that was applied last, if there was one."""

    step: int
    state: Snapshot
    aggregate: Tensor | None = None
    origin: Origin | None = None

    @property
    def model_digest(self) -> Digest:
        """The `Engine.model_digest` at this checkpoint."""
        return self.state.digest()


def save_model(tensors: Mapping[str, Tensor], step: int, path: Path) -> None:
    """Write the model alone (`Engine.model_tensors`), as `load_state_dict` of the task's model takes it.

    The file appears whole or not at all. Raises OSError as the disk does.
    """
    _write(tensors, {"step": str(step)}, path)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; the file appears whole or not at all. Raises OSError as the disk does."""
    tensors = dict(checkpoint.state.tensors)
    if checkpoint.aggregate is not None:
        tensors["aggregate"] = checkpoint.aggregate
    metadata = {"format": FORMAT, "step": str(checkpoint.step), "settings": checkpoint.state.settings}
    if checkpoint.origin is not None:
        metadata |= {name: getattr(checkpoint.origin, name).hex() for name in ORIGIN}
    _write(tensors, metadata, path)


def _write(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], path: Path) -> None:
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            write_tensors(tensors, metadata, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises ConfigurationError if the file is missing, corrupt or something else.

    A checkpoint from a stranger is trusted by its `model_digest`, compared with a certified one.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ConfigurationError(f"cannot read the checkpoint {path}: {error}") from error
    step = metadata.get("step", "")
    if metadata.get("format") != FORMAT or not STEP_TEXT.fullmatch(step):
        raise ConfigurationError(f"{path} is not a checkpoint of btard: give a file that a run has written")
    if strange := [name for name, tensor in tensors.items() if not _is_plain(tensor)]:
        raise ConfigurationError(
            f"tensor {strange[0][:100]!r} in {path} has a type that no run writes: the file is corrupt"
        )
    aggregate = tensors.pop("aggregate", None)
    if aggregate is not None and (aggregate.dtype != torch.float32 or aggregate.dim() != 1):
        raise ConfigurationError(f"the aggregate in {path} is not a float32 vector: the file is corrupt")
    state = Snapshot(metadata.get("settings", ""), tensors)
    return Checkpoint(int(step), state, aggregate, _origin(metadata))


def _origin(metadata: Mapping[str, str]) -> Origin | None:
    """Return what a file says of its origin; None if it says nothing that could be."""
    said = [metadata.get(name, "") for name in ORIGIN]
    if not all(re.fullmatch("[0-9a-f]{64}", each) for each in said):
        return None
    return Origin(*(Digest(bytes.fromhex(each)) for each in said))


def _is_plain(tensor: Tensor) -> bool:
    """Return whether numpy has this type; the digest of a state is of numpy's bytes."""
    try:
        tensor.numpy()
    except TypeError:
        return False
    return True
