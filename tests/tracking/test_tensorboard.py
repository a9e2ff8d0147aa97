"""Curves in TensorBoard, read back with its own reader."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from btard.run.events import Event
from btard.tracking import Tracking, make_trackers
from tests.tracking.events import BAN, BEGUN, record


def track(events: Iterable[Event], out: Path, text: str = "tensorboard") -> None:
    emitted: list[Event] = []
    events = list(events)
    with Tracking(emitted.append, make_trackers([text], out)) as emit:
        for event in events:
            emit(event)
    assert emitted == events


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def curve(folder: Path, name: str) -> list[tuple[int, float, float]]:
    return [(each.step, each.value, each.wall_time) for each in read(folder).Scalars(name)]


def test_every_number_of_a_run_comes_back_with_its_step_and_its_time(tmp_path: Path) -> None:
    track([BEGUN, *(record(step) for step in range(3)), record(3, "abort", BAN), record(3)], tmp_path)
    folder = tmp_path / "tensorboard"
    assert curve(folder, "train/loss") == [(k + 1, 10.0 - k, 1000.0 + k) for k in range(4)]
    assert curve(folder, "eval/accuracy")[-1] == (4, 0.5, 1003.0)
    assert curve(folder, "swarm/removals") == [(k + 1, float(k == 3), 1000.0 + k) for k in range(4)]
    (text,) = read(folder).Tensors("removals/text_summary")
    assert text.step == 4
    assert b"ban, false gradient" in text.tensor_proto.string_val[0]


def test_a_resumed_run_continues_its_curves_and_has_one_value_a_step(tmp_path: Path) -> None:
    track([BEGUN, *(record(step) for step in range(10))], tmp_path)
    # It was killed; the checkpoint was of step 8.
    track([BEGUN, *(record(step, training_loss=-1.0) for step in range(8, 12))], tmp_path)
    found = curve(tmp_path / "tensorboard", "train/loss")
    assert [(step, value) for step, value, _ in found] == [
        *((k + 1, 10.0 - k) for k in range(8)),
        *((k + 1, -1.0) for k in range(8, 12)),
    ]


def test_numbers_that_are_not_finite_and_a_folder_of_ones_own_are_no_trouble(tmp_path: Path) -> None:
    diverged = record(0, metrics={"loss": math.inf}, training_loss=math.nan, time=None)
    track([BEGUN, diverged], tmp_path / "out", f"tensorboard:{tmp_path / 'curves'}")
    assert not (tmp_path / "out").exists()
    ((_, value, _),) = curve(tmp_path / "curves", "eval/loss")
    assert value == math.inf


def test_nothing_is_written_before_the_first_step(tmp_path: Path) -> None:
    track([BEGUN], tmp_path / "out")
    assert not (tmp_path / "out").exists()
