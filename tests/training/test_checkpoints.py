"""Checkpoints: an auditor arrives at the same digest, and a false file is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from btard.codec import FP32
from btard.errors import ConfigurationError
from btard.training import LAMB, SGD, AdamW, Engine, load_checkpoint, save_checkpoint, save_model
from btard.training.optimizers import WarmupLinear
from btard.training.snapshot import Snapshot
from btard.types import Digest
from tests.training.conftest import Noisy

Advance = Callable[..., tuple[Digest, ...]]
MakeEngine = Callable[..., Engine]

PORTABLE = {
    "plain sgd": SGD(learning_rate=0.1),
    "nesterov": SGD(learning_rate=0.1, momentum=0.9, nesterov=True, schedule=WarmupLinear(3, 9)),
    "adamw": AdamW(learning_rate=0.01, weight_decay=0.1, groups=(("*bias", 0.0),)),
    "lamb": LAMB(learning_rate=0.01, weight_decay=0.1, max_norm=0.1),
}

RECIPES: dict[str, dict[str, object]] = {
    "momentum": {"optimizer": partial(torch.optim.SGD, lr=0.1, momentum=0.9)},
    "plain": {"optimizer": partial(torch.optim.SGD, lr=0.1)},
    "adam": {
        "optimizer": partial(torch.optim.Adam, lr=0.01, amsgrad=True),
        "scheduler": partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=20),
    },
    "warm-up": {
        "optimizer": partial(torch.optim.AdamW, lr=0.01),
        "scheduler": partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda step: (1 + step) / 10),
    },
    **{f"portable {name}": {"optimizer": optimizer} for name, optimizer in PORTABLE.items()},
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_restored_run_goes_on_bit_by_bit(
    make_engine: MakeEngine, advance: Advance, recipe: dict[str, object], tmp_path: Path
) -> None:
    engine, newcomer = make_engine(**recipe), make_engine(**recipe)
    for _ in range(2):
        advance(engine)
    save_checkpoint(engine.checkpoint(), tmp_path / "2.safetensors")
    newcomer.restore(load_checkpoint(tmp_path / "2.safetensors"))
    assert newcomer.step == 2
    assert newcomer.model_digest == engine.model_digest
    for _ in range(2):
        advance(engine)
        advance(newcomer)
        assert newcomer.model_digest == engine.model_digest
    assert [path.name for path in tmp_path.iterdir()] == ["2.safetensors"]


def test_a_saved_model_loads_by_name_and_evaluates_alike(
    make_engine: MakeEngine, advance: Advance, tmp_path: Path
) -> None:
    engine = make_engine()
    advance(engine)
    engine.evaluate()
    path = tmp_path / "model.safetensors"
    save_model(engine.model_tensors(), engine.step, path)
    model = Noisy().build(bytes(32))
    model.load_state_dict(load_file(path), strict=True)
    model.eval()
    with torch.no_grad():
        assert Noisy().evaluate(model) == engine.evaluate()
    assert engine.model_tensors().keys() == model.state_dict().keys() == load_file(path).keys()
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="missing"):
        save_model(engine.model_tensors(), engine.step, tmp_path / "missing" / "model.safetensors")


def test_an_auditor_recomputes_an_update_from_two_checkpoints(
    make_engine: MakeEngine, advance: Advance, tmp_path: Path
) -> None:
    engine, auditor = make_engine(), make_engine()
    assert engine.checkpoint().aggregate is None
    for step in range(3):
        save_checkpoint(engine.checkpoint(), tmp_path / f"{step}.safetensors")
        advance(engine)
    before, after = (load_checkpoint(tmp_path / f"{step}.safetensors") for step in (1, 2))
    assert after.aggregate is not None
    auditor.restore(before)
    blob = auditor.store.put(FP32.encode(auditor.order.mix(after.aggregate)))
    assert auditor.update(1, (blob,)) == after.model_digest


def test_a_newcomer_cannot_recompute_what_came_before_its_checkpoint(
    make_engine: MakeEngine, advance: Advance
) -> None:
    engine, newcomer = make_engine(), make_engine()
    advance(engine)
    newcomer.restore(engine.checkpoint())
    with pytest.raises(ConfigurationError, match="not kept"):
        newcomer.gradient(0, bytes(32), 1)


@pytest.mark.parametrize("name", ["model.0.weight", "optimizer.0.weight/momentum_buffer", "settings"])
def test_the_model_digest_covers_all_that_a_newcomer_takes_over(
    make_engine: MakeEngine, advance: Advance, name: str
) -> None:
    engine = make_engine()
    advance(engine)
    state = engine.checkpoint().state
    if name == "settings":
        forged = replace(state, settings=state.settings.replace('"lr":0.1', '"lr":0.2'))
    else:
        forged = replace(state, tensors={**state.tensors, name: state.tensors[name] * 1.0001})
    assert forged.digest() != state.digest()


def _without(state: Snapshot) -> Snapshot:
    return replace(state, tensors={k: v for k, v in state.tensors.items() if k != "model.0.weight"})


def _with(name: str, tensor: torch.Tensor) -> Callable[[Snapshot], Snapshot]:
    return lambda state: replace(state, tensors={**state.tensors, name: tensor})


def _set(key: str, value: object) -> Callable[[Snapshot], Snapshot]:
    return lambda state: replace(state, settings=json.dumps({**json.loads(state.settings), key: value}))


FORGERIES: dict[str, Callable[[Snapshot], Snapshot]] = {
    "parameter missing": _without,
    "parameter of another shape": _with("model.0.weight", torch.zeros(3)),
    "parameter of another dtype": _with("model.0.weight", torch.zeros(10, 8, dtype=torch.float64)),
    "unknown parameter": _with("model.other", torch.zeros(3)),
    "unknown kind": _with("weights", torch.zeros(3)),
    "state of an unknown parameter": _with("optimizer.other/momentum_buffer", torch.zeros(3)),
    "state of another shape": _with("optimizer.0.weight/momentum_buffer", torch.zeros(3)),
    "settings are no JSON": lambda state: replace(state, settings="{"),
    "settings nested too deeply": lambda state: replace(state, settings="[" * 100_000),
    "settings of another shape": lambda state: replace(state, settings="[]"),
    "groups are no list": _set("groups", {}),
    "a group is no table": _set("groups", [1]),
    "a group too many": _set("groups", [{}, {}]),
    "unknown setting": _set("groups", [{"__class__": "x"}]),
    "setting of another type": _set("groups", [{"lr": "fast"}]),
    "scalar of an unknown parameter": _set("scalars", {"other/step": 1}),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_checkpoint_of_something_else_is_refused(
    make_engine: MakeEngine, advance: Advance, forge: Callable[[Snapshot], Snapshot]
) -> None:
    engine = make_engine()
    advance(engine)
    checkpoint = engine.checkpoint()
    advance(engine)
    model = engine.model_digest
    with pytest.raises(ConfigurationError, match="another model or recipe"):
        engine.restore(replace(checkpoint, state=forge(checkpoint.state)))
    assert engine.model_digest == model


PORTABLE_FORGERIES: dict[str, Callable[[Snapshot], Snapshot]] = {
    "parameter missing": _without,
    "parameter of another shape": _with("model.0.weight", torch.zeros(3)),
    "parameter of another dtype": _with("model.0.weight", torch.zeros(10, 8, dtype=torch.float64)),
    "unknown slot": _with("optimizer.0.weight/exp_avg", torch.zeros(10, 8)),
    "slot of another shape": _with("optimizer.0.weight/momentum_buffer", torch.zeros(8, 10)),
    "settings of another shape": lambda state: replace(state, settings="[]"),
    "another optimizer": _set("optimizer", "SGD()"),
    "no optimizer": _set("optimizer", None),
    "updates below zero": _set("updates", -1),
    "updates that are no number": _set("updates", True),
    "a setting too many": _set("groups", []),
}


@pytest.mark.parametrize("forge", PORTABLE_FORGERIES.values(), ids=PORTABLE_FORGERIES)
def test_a_checkpoint_of_another_portable_run_is_refused_and_changes_nothing(
    make_engine: MakeEngine, advance: Advance, forge: Callable[[Snapshot], Snapshot]
) -> None:
    test_a_checkpoint_of_something_else_is_refused(
        partial(make_engine, optimizer=PORTABLE["nesterov"]), advance, forge
    )


def test_the_optimizers_vectors_and_its_count_are_part_of_a_portable_models_digest(
    make_engine: MakeEngine, advance: Advance
) -> None:
    engine = make_engine(optimizer=PORTABLE["adamw"])
    advance(engine)
    state = engine.checkpoint().state
    parameters = [name for name in state.tensors if name.startswith("model.")]
    assert len(state.tensors) == 3 * len(parameters)
    digests = {state.digest(), _set("updates", 2)(state).digest()}
    for name, tensor in state.tensors.items():
        digests.add(_with(name, tensor.clone().add_(1))(state).digest())
    assert len(digests) == 2 + len(state.tensors)


def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_checkpoint(tmp_path / "absent")
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_checkpoint(tmp_path / "noise")
    save_file({"x": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(ConfigurationError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "other")
    metadata = {"format": "btard-checkpoint-1", "step": "1", "settings": "{}"}
    save_file({"aggregate": torch.zeros(2, 2)}, tmp_path / "crooked", metadata)
    with pytest.raises(ConfigurationError, match="corrupt"):
        load_checkpoint(tmp_path / "crooked")
