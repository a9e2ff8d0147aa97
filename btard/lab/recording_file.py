"""The file of a recording: safetensors, of the model's size at most and 128 KiB for each gradient."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from btard.errors import ConfigurationError
from btard.lab.recording import GRADIENTS_MAX, STEPS_MAX, Gradients, Recording
from btard.lab.sketch import SIZE

FORMAT = "btard-gradients-1"

_NORMS = re.compile("norms ([0-9]{1,6})")

TEXT_MAX = 1 << 20
"""Characters of the description that a file may have: it comes from somebody else."""


def save_recording(recording: Recording, path: Path) -> None:
    """Write a recording; the file appears whole or not at all. Raises OSError as the disk does."""
    tensors: dict[str, Any] = {}
    for each in recording.at:
        tensors |= {f"sketches {each.step}": each.sketches, f"norms {each.step}": each.norms}
    if recording.parameters is not None:
        tensors["parameters"] = recording.parameters.numpy()
    about = json.dumps({"described": dict(recording.described), "machine": dict(recording.machine)})
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_bytes(save(tensors, {"format": FORMAT, "about": about}))
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def load_recording(path: Path) -> Recording:
    """Read what `save_recording` wrote, perhaps a stranger's. Raises ConfigurationError for anything else."""
    wrong = ConfigurationError(
        f"{path} is not a recording of gradients: give a file of btard measure-tolerance"
    )
    try:
        with safe_open(path, framework="np") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            names = sorted(file.keys())
            if metadata.get("format") != FORMAT or len(names) > 5:
                raise wrong
            tensors: dict[str, Any] = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, TypeError) as error:
        raise ConfigurationError(f"cannot read the recording {path}: {error}") from error
    about = _about(metadata.get("about", ""))
    parameters = tensors.pop("parameters", None)
    steps = sorted(int(found[1]) for name in tensors if (found := _NORMS.fullmatch(name)))
    if about is None or steps[:1] != [0] or len(steps) > 2 or len(tensors) != 2 * len(steps):
        raise wrong
    count = tensors["norms 0"].size
    for step in steps:
        for name, shape in ((f"sketches {step}", (count, SIZE)), (f"norms {step}", (count,))):
            found = tensors.get(name)
            if found is None or found.dtype != np.float64 or found.shape != shape:
                raise wrong
            if not np.isfinite(found).all():
                raise wrong
    if (parameters is None) != (len(steps) == 1) or not 1 <= count <= GRADIENTS_MAX or steps[-1] > STEPS_MAX:
        raise wrong
    if parameters is not None and (parameters.dtype != np.float32 or parameters.ndim != 1):
        raise wrong
    return Recording(
        *about,
        tuple(Gradients(step, tensors[f"sketches {step}"], tensors[f"norms {step}"]) for step in steps),
        None if parameters is None else torch.from_numpy(parameters),
    )


def _about(text: str) -> tuple[dict[str, str], dict[str, str]] | None:
    try:
        about = json.loads(text) if len(text) <= TEXT_MAX else None
    except (ValueError, RecursionError):
        return None
    parts = (about.get("described"), about.get("machine")) if isinstance(about, dict) else (None, None)
    for part in parts:
        if not isinstance(part, dict) or not all(isinstance(value, str) for value in part.values()):
            return None
    return parts  # type: ignore[return-value]
