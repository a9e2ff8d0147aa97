"""A run's configuration: one digest for one run, and a sentence for everything that cannot be."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.errors import BtardError, ConfigurationError, RunMismatchError
from btard.protocol.constants import ProtocolConfig
from btard.run.config import PEERS_MAX, RunConfig, RunPlan
from btard.training.store import BlobStore
from tests.node.nodes import PROTOCOL, a_plan, a_run

CONFIG = a_run()


def changed(**fields: Any) -> bytes:
    """The description with other fields, in canonical form."""
    tree = {**json.loads(CONFIG.to_bytes()), **fields}
    return json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()


plans = st.builds(
    RunPlan,
    task=st.text(max_size=20),
    options=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    recipe=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    start=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    seed=st.integers(-(2**127), 2**127 - 1),
    steps=st.integers(1, 2**40),
    peers=st.integers(1, PEERS_MAX),
    clip=st.none() | st.floats(1e-6, 1e6),
    protocol=st.builds(ProtocolConfig, tau=st.floats(1e-6, 1e6), validators=st.integers(0, 9)),
)
nonces = st.binary(min_size=32, max_size=32)
configs = st.builds(RunPlan.begin, plans, nonces)


@given(configs)
def test_a_run_is_read_back_as_it_was_published(config: RunConfig) -> None:
    assert RunConfig.from_bytes(config.to_bytes()) == config


@given(configs, configs)
def test_runs_have_the_same_digest_just_when_nothing_differs(one: RunConfig, other: RunConfig) -> None:
    assert (one.digest == other.digest) == (one == other)


@given(plans, plans, nonces)
def test_a_run_differs_from_a_plan_just_when_it_is_of_another_one(
    plan: RunPlan, other: RunPlan, nonce: bytes
) -> None:
    assert plan.differences(plan.begin(nonce)) == []
    assert (plan.differences(other.begin(nonce)) == []) == (plan == other)


@given(plans, nonces, nonces)
def test_two_runs_of_one_plan_have_two_ids(plan: RunPlan, one: bytes, other: bytes) -> None:
    assert (plan.begin(one).digest == plan.begin(other).digest) == (one == other)


@pytest.mark.parametrize("nonce", [b"", bytes(31), bytes(33)], ids=len)
def test_a_nonce_of_another_size_is_refused(nonce: bytes) -> None:
    with pytest.raises(ConfigurationError, match=f"the nonce has {len(nonce)} bytes: use 32 bytes"):
        a_plan().begin(nonce)


def test_a_plan_is_no_run_and_a_run_is_no_plan() -> None:
    with pytest.raises(ConfigurationError, match="nonce is missing"):
        RunConfig.from_bytes(a_plan().to_bytes())
    with pytest.raises(ConfigurationError, match="there is no field nonce: leave it out"):
        RunPlan.from_bytes(CONFIG.to_bytes())


@given(st.binary(max_size=200))
def test_noise_is_no_run(noise: bytes) -> None:
    with pytest.raises(ConfigurationError):
        RunConfig.from_bytes(noise)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": "btard/2"},
        {"nonce": None},
        {"nonce": "0" * 63},
        {"nonce": "A" * 64},
        {"nonce": "0" * 64 + "\n"},
        {"codec": "fp16"},
        {"protocol": {**asdict(PROTOCOL), "kind": "parameter_server"}},
        {"steps": 0},
        {"steps": 2**41},
        {"peers": 0},
        {"peers": PEERS_MAX + 1},
        {"clip": 0},
        {"seed": 2**127},
        {"seed": -(2**200)},
        {"task": "x" * 65},
        {"extra": 1},
        {"recipe": {"batch": 1}},
        *({"options": {"a": 1}}, {"options": {"a" * 65: "1"}}, {"options": {"a": "1" * 257}}),
        {"options": {str(number): "1" for number in range(33)}},
        {"protocol": {**asdict(PROTOCOL), "tau": -1.0}},
        {"protocol": {**asdict(PROTOCOL), "validators": -1}},
        {"protocol": {**asdict(PROTOCOL), "extra": 1}},
        {"protocol": None},
    ],
    ids=str,
)
def test_a_published_run_that_cannot_be_is_refused_in_one_sentence(fields: dict[str, Any]) -> None:
    with pytest.raises(BtardError) as refused:
        RunConfig.from_bytes(changed(**fields))
    assert "\n" not in str(refused.value)


def test_a_run_in_another_form_is_refused_since_its_digest_would_differ() -> None:
    spaced = json.dumps(json.loads(CONFIG.to_bytes()), sort_keys=True).encode()
    with pytest.raises(ConfigurationError, match="canonical"):
        RunConfig.from_bytes(spaced)


def test_differences_name_the_fields_also_of_the_protocol() -> None:
    other = RunConfig.from_bytes(changed(steps=9, protocol={**asdict(PROTOCOL), "tau": 2.0}))
    assert CONFIG.differences(other) == ["protocol.tau (1.0 here, 2.0 there)", "steps (3 here, 9 there)"]


def test_a_task_that_is_another_one_here_is_refused_with_what_differs() -> None:
    other = RunConfig.from_bytes(changed(recipe={**CONFIG.recipe, "batch_size": "77"}))
    with pytest.raises(RunMismatchError, match=r"batch_size \(\w+ here, 77 there\)"):
        other.local_recipe()


def test_a_run_that_cannot_be_here_is_refused_with_what_can() -> None:
    with pytest.raises(ConfigurationError, match="digits"):
        RunConfig.from_bytes(changed(task="nowhere")).local_recipe()
    with pytest.raises(ConfigurationError, match="say --task os:system if you trust"):
        RunConfig.from_bytes(changed(task="os:system")).local_recipe()
    with pytest.raises(ConfigurationError, match="lunch"):
        RunPlan.create("lunch", steps=1, peers=2)
    with pytest.raises(ConfigurationError, match="steps is 0: input should be greater than or equal to 1"):
        RunPlan.create("quadratic", steps=0, peers=2)


def test_the_run_decides_the_first_model() -> None:
    engines = [config.engine(BlobStore(1 << 20)) for config in (CONFIG, CONFIG)]
    assert engines[0].model_digest == engines[1].model_digest


def test_a_run_survives_its_file(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(CONFIG.to_bytes() + b"\n")
    assert RunConfig.load(tmp_path / "run.json") == CONFIG
    (tmp_path / "plan.json").write_bytes(a_plan().to_bytes() + b"\n")
    assert RunPlan.load(tmp_path / "plan.json") == a_plan()
    with pytest.raises(ConfigurationError, match="cannot read"):
        RunConfig.load(tmp_path / "no.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"broken\.json"):
        RunConfig.load(tmp_path / "broken.json")


def test_what_a_stranger_wrote_in_a_run_is_cut_and_shown_without_control_characters() -> None:
    other = RunConfig.from_bytes(changed(recipe={**CONFIG.recipe, "optimizer": "\x1b[31m" + "x" * 10_000}))
    with pytest.raises(RunMismatchError) as refused:
        other.local_recipe()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


def test_a_run_from_another_start_is_refused_with_what_differs() -> None:
    other = RunConfig.from_bytes(changed(start={**CONFIG.start, "data words": "12ab"}))
    with pytest.raises(RunMismatchError, match=r"data words \(None here, 12ab there\); use the data and"):
        other.engine(BlobStore(1 << 20))
