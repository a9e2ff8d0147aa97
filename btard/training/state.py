"""Model, optimizer and schedule as one value that can be copied, hashed, exported and restored."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.training.recipe import Recipe
from btard.training.vector import flatten, unflatten_into
from btard.types import Digest


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training state as plain data.

    `settings` is canonical JSON (hyperparameters of the moment, schedule, scalars of the optimizer);
    `tensors` has `model.<parameter>` and `optimizer.<parameter>/<key>`.
    """

    settings: str
    tensors: Mapping[str, Tensor]

    def digest(self) -> Digest:
        """Return the model digest: over names, shapes, dtypes and bytes of all tensors, and the settings."""
        parts = [self.settings.encode()]
        for name in sorted(self.tensors):
            tensor = self.tensors[name].detach().cpu().contiguous()
            parts.append(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            parts.append(tensor.numpy().tobytes())
        return digest("model", *parts)


class ModelState:
    """A model with its optimizer and learning-rate schedule.

    Only parameters with `requires_grad` are trained; they must be float32. Buffers stay as built.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.model = model
        self.named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        if not self.named:
            raise ConfigurationError(f"task {recipe.task.name!r} builds a model without trainable parameters")
        for name, parameter in self.named:
            if parameter.dtype != torch.float32:
                raise ConfigurationError(f"parameter {name} is {parameter.dtype}: build the model in float32")
        self.parameters = [parameter for _, parameter in self.named]
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in self.named}
        self.optimizer = recipe.optimizer(self.named)
        self.scheduler = None if recipe.scheduler is None else recipe.scheduler(self.optimizer)

    def vector(self) -> Tensor:
        """Return the trainable parameters as one float32 vector (d,), copied."""
        return flatten(self.parameters)

    def copy_from(self, other: ModelState) -> None:
        """Become equal to `other`, sharing no memory with it."""
        with torch.no_grad():
            for mine, theirs in zip(self.parameters, other.parameters, strict=True):
                mine.copy_(theirs)
        # Optimizer.load_state_dict keeps references to tensors of the right dtype, hence the deep copy.
        self.optimizer.load_state_dict(copy.deepcopy(other.optimizer.state_dict()))
        if self.scheduler is not None and other.scheduler is not None:
            self.scheduler.load_state_dict(copy.deepcopy(other.scheduler.state_dict()))

    def apply(self, gradient: Tensor) -> None:
        """One optimizer step, then one step of the schedule, with `gradient` (d,) as every `.grad`."""
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
        unflatten_into(gradient, [p.grad for p in self.parameters if p.grad is not None])
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()

    def export(self) -> Snapshot:
        """Return this state as plain data, copied."""
        tensors = {f"model.{name}": p.detach().cpu().clone() for name, p in self.named}
        scalars: dict[str, Any] = {}
        for parameter, values in self.optimizer.state.items():
            for key, value in values.items():
                label = f"{self._names[parameter]}/{key}"
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{label}"] = value.detach().cpu().clone()
                else:
                    scalars[label] = value
        settings = {
            "groups": [_plain_items(group) for group in self.optimizer.param_groups],
            "scalars": _plain_items(scalars),
            "schedule": _plain_items(self.scheduler.state_dict()) if self.scheduler is not None else {},
        }
        return Snapshot(json.dumps(settings, sort_keys=True, separators=(",", ":")), tensors)

    def restore(self, snapshot: Snapshot) -> None:
        """Become what `snapshot` describes. Raises ConfigurationError if it is of another model."""
        settings = _parse(snapshot.settings)
        groups = settings["groups"]
        if len(groups) != len(self.optimizer.param_groups):
            raise _mismatch("the number of parameter groups")
        by_name = dict(self.named)
        values: dict[str, dict[str, Any]] = {}
        for label, value in settings["scalars"].items():
            _add(values, label, value, by_name)
        model: dict[str, Tensor] = {}
        for name, tensor in snapshot.tensors.items():
            kind, _, label = name.partition(".")
            expected = by_name.get(label) if kind == "model" else None
            if expected is not None and (tensor.shape, tensor.dtype) == (expected.shape, expected.dtype):
                model[label] = tensor
            elif kind == "optimizer" and tensor.is_floating_point():
                _add(values, label, tensor.clone(), by_name)
            else:
                raise _mismatch(f"tensor {name[:100]!r}")
        if model.keys() != by_name.keys():
            raise _mismatch("the set of parameters")

        optimizer = self._optimizer_state(groups, values)
        known = {} if self.scheduler is None else self.scheduler.state_dict()
        schedule = {**known, **_merge(known, settings["schedule"])}

        # Nothing was touched up to here: a refused snapshot leaves the state as it was.
        with torch.no_grad():
            for name, parameter in self.named:
                parameter.copy_(model[name])
        self.optimizer.load_state_dict(optimizer)
        if self.scheduler is not None:
            self.scheduler.load_state_dict(schedule)

    def _optimizer_state(
        self, groups: list[dict[str, Any]], values: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        order = [self._names[p] for group in self.optimizer.param_groups for p in group["params"]]
        state = self.optimizer.state_dict()
        state["state"] = {index: values[name] for index, name in enumerate(order) if name in values}
        for group, saved in zip(state["param_groups"], groups, strict=True):
            group.update(_merge(group, saved))
        return state


def _plain_items(values: Mapping[str, Any]) -> dict[str, Any]:
    skipped = ("params", "param_names")
    return {key: value for key, value in values.items() if key not in skipped and _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _parse(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _mismatch("its settings, which are not JSON") from error
    shape = {"groups": list, "scalars": dict, "schedule": dict}
    if not isinstance(settings, dict) or settings.keys() != shape.keys():
        raise _mismatch("its settings")
    for key, kind in shape.items():
        if not isinstance(settings[key], kind):
            raise _mismatch(f"its settings of {key}")
    if not all(isinstance(group, dict) for group in settings["groups"]):
        raise _mismatch("its settings of groups")
    return settings


def _merge(known: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """Saved values of known keys only, as the type that they have here (JSON has no tuples)."""
    merged: dict[str, Any] = {}
    for key, value in saved.items():
        if key not in known or not _is_plain(known[key]):
            raise _mismatch(f"setting {key[:100]!r}")
        here = known[key]
        number = isinstance(here, (int, float)) and isinstance(value, (int, float))
        sequence = isinstance(here, (list, tuple)) and isinstance(value, list)
        if not (number or sequence or here is None or type(here) is type(value)):
            raise _mismatch(f"setting {key[:100]!r}")
        merged[key] = tuple(value) if isinstance(here, tuple) else value
    return merged


def _add(values: dict[str, dict[str, Any]], label: str, value: Any, by_name: Mapping[str, Tensor]) -> None:
    name, _, key = label.rpartition("/")
    if name not in by_name or not key:
        raise _mismatch(f"optimizer state {label[:100]!r}")
    if isinstance(value, Tensor) and value.numel() != 1 and value.shape != by_name[name].shape:
        raise _mismatch(f"the shape of optimizer state {label[:100]!r}")
    values.setdefault(name, {})[key] = value


def _mismatch(what: str) -> ConfigurationError:
    return ConfigurationError(f"the checkpoint is of another model or recipe: {what} does not fit")
