"""A folder of checkpoints: what is kept, what is found, and what is passed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.training import Engine
from btard.training.checkpoint_store import CheckpointStore
from btard.training.checkpoints import Checkpoint, Origin, load_checkpoint, save_checkpoint
from btard.types import Digest

Advance = Callable[..., tuple[Digest, ...]]
MakeEngine = Callable[..., Engine]


@pytest.fixture
def taken(make_engine: MakeEngine, advance: Advance) -> list[Checkpoint]:
    """The checkpoints of steps 1 to 4."""
    engine, found = make_engine(), []
    for _ in range(4):
        advance(engine)
        found.append(engine.checkpoint())
    return found


def stored(folder: Path, taken: list[Checkpoint], keep: int = 0, pinned: int = -1) -> CheckpointStore:
    store = CheckpointStore(folder, keep)
    for checkpoint in taken:
        store.write(checkpoint, pinned)
    return store


def certified(taken: list[Checkpoint]) -> dict[int, Digest]:
    return {each.step: each.model_digest for each in taken}


@pytest.mark.parametrize(
    ("keep", "pinned", "left"), [(0, -1, (1, 2, 3, 4)), (2, -1, (3, 4)), (1, 2, (2, 4)), (9, 1, (1, 2, 3, 4))]
)
def test_the_newest_stay_and_the_pinned_one(
    taken: list[Checkpoint], keep: int, pinned: int, left: tuple[int, ...], tmp_path: Path
) -> None:
    store = stored(tmp_path / "folder", taken, keep, pinned)
    assert store.steps() == left == tuple(store.files())


def test_files_that_a_run_did_not_write_are_neither_listed_nor_deleted(
    taken: list[Checkpoint], tmp_path: Path
) -> None:
    strange = [
        tmp_path / name for name in ("step-x.safetensors", "notes.txt", "step-000009.safetensors.part")
    ]
    for path in strange:
        path.write_text("mine")
    assert stored(tmp_path, taken, keep=1).steps() == (4,)
    assert all(path.read_text() == "mine" for path in strange)


def test_the_newest_certified_checkpoint_is_found(taken: list[Checkpoint], tmp_path: Path) -> None:
    store = stored(tmp_path, taken)
    found = store.newest(certified(taken))
    assert found is not None
    assert (found.step, found.model_digest) == (4, taken[3].model_digest)
    earlier = store.newest(certified(taken[:2]))
    assert earlier is not None
    assert earlier.step == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "another"])
def test_a_checkpoint_that_is_damaged_or_of_another_model_is_passed_over(
    taken: list[Checkpoint], damage: str, tmp_path: Path
) -> None:
    store = stored(tmp_path, taken)
    path = store.files()[4]
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(raw[:-1])
    elif damage == "flipped":
        raw[-1] ^= 1
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
    else:
        save_checkpoint(replace(taken[2], step=4), path)
    found = store.newest(certified(taken))
    assert found is not None
    assert found.step == 3


def test_nothing_is_found_where_nothing_is_certified_or_there(
    taken: list[Checkpoint], tmp_path: Path
) -> None:
    assert stored(tmp_path, taken).newest({}) is None
    assert CheckpointStore(tmp_path / "none").newest(certified(taken)) is None


def test_an_unreadable_file_is_named_where_all_are_asked_for(taken: list[Checkpoint], tmp_path: Path) -> None:
    stored(tmp_path, taken).files()[1].write_bytes(b"no checkpoint")
    with pytest.raises(ConfigurationError, match=r"step-000001\.safetensors: move it away"):
        CheckpointStore(tmp_path).files()


def test_an_origin_comes_back_and_one_that_cannot_be_counts_as_none(
    taken: list[Checkpoint], tmp_path: Path
) -> None:
    path = tmp_path / "1.safetensors"
    origin = Origin(digest("run"), digest("head"), taken[0].model_digest)
    save_checkpoint(replace(taken[0], origin=origin), path)
    assert load_checkpoint(path).origin == origin
    save_checkpoint(replace(taken[0], origin=replace(origin, run=Digest(b"short"))), path)
    assert load_checkpoint(path).origin is None
