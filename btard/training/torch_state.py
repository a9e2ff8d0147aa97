"""A model with an optimizer and a schedule of torch.optim, which are alike on like hardware only."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from btard.training.recipe import OptimizerFactory, SchedulerFactory
from btard.training.snapshot import Snapshot, canonical, mismatch, parse
from btard.training.state import trainable
from btard.training.vector import flatten, unflatten_into
from btard.types import Digest


class TorchState:
    """A model with its optimizer and learning-rate schedule.

    Only parameters with `requires_grad` are trained; they must be float32. Buffers stay as built.
    """

    def __init__(
        self, model: nn.Module, optimizer: OptimizerFactory, scheduler: SchedulerFactory | None, task: str
    ) -> None:
        self.named = trainable(model, task)
        self.parameters = [parameter for _, parameter in self.named]
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in self.named}
        self.optimizer = optimizer(self.named)
        self.scheduler = None if scheduler is None else scheduler(self.optimizer)

    def vector(self) -> Tensor:
        """Return the trainable parameters as one float32 vector (d,), copied: they change in place."""
        return flatten(self.parameters)

    def advance(self, before: TorchState, gradient: Tensor) -> None:
        """Become what `before` is after one step of the optimizer, then one of the schedule, with `gradient`
        (d,) as every `.grad`."""
        if before is not self:
            self._copy_from(before)
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
        unflatten_into(gradient, [p.grad for p in self.parameters if p.grad is not None])
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()

    def rest(self) -> None:
        """Do nothing: the optimizer works in place."""

    def _copy_from(self, other: TorchState) -> None:
        """Become equal to `other`, sharing no memory with it."""
        with torch.no_grad():
            for mine, theirs in zip(self.parameters, other.parameters, strict=True):
                mine.copy_(theirs)
        # Optimizer.load_state_dict keeps references to tensors of the right dtype, hence the deep copy.
        self.optimizer.load_state_dict(copy.deepcopy(other.optimizer.state_dict()))
        if self.scheduler is not None and other.scheduler is not None:
            self.scheduler.load_state_dict(copy.deepcopy(other.scheduler.state_dict()))

    def digest(self) -> Digest:
        """Return the digest of `export()`."""
        return self.export().digest()

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
        return Snapshot(canonical(settings), tensors)

    def restore(self, snapshot: Snapshot) -> None:
        """Become what `snapshot` describes. Raises ConfigurationError if it is of another model."""
        settings = parse(snapshot.settings, {"groups": list, "scalars": dict, "schedule": dict})
        if not all(isinstance(group, dict) for group in settings["groups"]):
            raise mismatch("its settings of groups")
        groups = settings["groups"]
        if len(groups) != len(self.optimizer.param_groups):
            raise mismatch("the number of parameter groups")
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
                raise mismatch(f"tensor {name[:100]!r}")
        if model.keys() != by_name.keys():
            raise mismatch("the set of parameters")

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


def _merge(known: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """Saved values of known keys only, as the type that they have here (JSON has no tuples)."""
    merged: dict[str, Any] = {}
    for key, value in saved.items():
        if key not in known or not _is_plain(known[key]):
            raise mismatch(f"setting {key[:100]!r}")
        here = known[key]
        number = isinstance(here, (int, float)) and isinstance(value, (int, float))
        sequence = isinstance(here, (list, tuple)) and isinstance(value, list)
        if not (number or sequence or here is None or type(here) is type(value)):
            raise mismatch(f"setting {key[:100]!r}")
        merged[key] = tuple(value) if isinstance(here, tuple) else value
    return merged


def _add(values: dict[str, dict[str, Any]], label: str, value: Any, by_name: Mapping[str, Tensor]) -> None:
    name, _, key = label.rpartition("/")
    if name not in by_name or not key:
        raise mismatch(f"optimizer state {label[:100]!r}")
    if isinstance(value, Tensor) and value.numel() != 1 and value.shape != by_name[name].shape:
        raise mismatch(f"the shape of optimizer state {label[:100]!r}")
    values.setdefault(name, {})[key] = value
