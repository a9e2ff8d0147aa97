"""Curves in Weights & Biases, offline: what it would send is read from its own file."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from wandb.proto import wandb_internal_pb2

from btard.run.events import Event
from btard.tracking import Tracking, make_trackers
from tests.swarm.commands import btard
from tests.tracking.events import BAN, BEGUN, PEERS, record

BLOCK_BYTES = 32768
HEADER_BYTES = 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def chunks(path: Path) -> Iterator[tuple[int, bytes]]:
    """The pieces of a log in LevelDB's format: blocks of records, each with checksum, size and kind before
    it."""
    data = path.read_bytes()
    at = HEADER_BYTES  # of the file
    while at < len(data):
        left = BLOCK_BYTES - at % BLOCK_BYTES
        if left < HEADER_BYTES:
            at += left
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        yield kind, data[at + HEADER_BYTES : at + HEADER_BYTES + size]
        at += HEADER_BYTES + size


def records(path: Path) -> Iterator[wandb_internal_pb2.Record]:
    whole = b""
    for kind, piece in chunks(path):
        assert kind in (FULL, FIRST, MIDDLE, LAST)
        whole = piece if kind in (FULL, FIRST) else whole + piece
        if kind in (FULL, LAST):
            found = wandb_internal_pb2.Record()
            found.ParseFromString(whole)
            yield found


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory, and no network."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def track(events: list[Event], out: Path, text: str) -> None:
    emitted: list[Event] = []
    with Tracking(emitted.append, make_trackers([text], out)) as emit:
        for event in events:
            emit(event)
    assert emitted == events


def test_every_step_is_logged_once_under_a_run_named_after_swarm_and_peer(offline: Path) -> None:
    events = [BEGUN, *(record(step) for step in range(3)), record(3, "abort", BAN), record(3)]
    track(events, offline, "wandb:albert")
    (path,) = offline.glob("wandb/offline-run-*/run-*.wandb")
    curves: dict[str, list[float]] = defaultdict(list)
    settings: dict[str, object] = {}
    summary: dict[str, object] = {}
    for each in records(path):
        for item in each.history.item:
            curves["/".join(item.nested_key) or item.key].append(json.loads(item.value_json))
        for update in each.summary.update:
            summary["/".join(update.nested_key) or update.key] = json.loads(update.value_json)
        if each.HasField("run"):
            settings = {item.key: json.loads(item.value_json) for item in each.run.config.update}
            assert each.run.project == "albert"
            assert each.run.run_id == f"{BEGUN.run[:24]}-{PEERS[1][:8]}"
            assert not each.run.HasField("git")
    assert curves["step"] == [1, 2, 3, 4]
    assert curves["train/loss"] == [10.0, 9.0, 8.0, 7.0]
    assert curves["eval/mlm loss"] == [1.0] * 4
    assert curves["swarm/removals"] == [0, 0, 0, 1]
    assert summary["removals"] == [f"step 3: {PEERS[3][:16]} ban, false gradient"]
    assert settings.items() >= {"run": BEGUN.run, "task": "digits", "steps": 20, "peers": 4}.items()


def test_a_service_without_a_key_is_said_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    done = btard("swarm", "--in-process", "--track", "wandb", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "btard: Weights & Biases has no key on this machine: run `wandb login`, or set"
    )
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()
