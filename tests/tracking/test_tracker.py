"""A tracker never stalls or ends a run, whatever its writer does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from btard.run.events import Begun, Event, Noted
from btard.tracking import Point, Tracker, Tracking
from btard.tracking.tracker import QUEUE_MAX
from tests.tracking.events import BEGUN, record


class Kept:
    """Keeps what it is told; `trouble` is called with each point."""

    def __init__(self, trouble: Callable[[Point], None] = lambda _: None) -> None:
        self.told: list[Begun | Point] = []
        self.closed = False
        self._trouble = trouble

    def begin(self, begun: Begun) -> None:
        self.told.append(begun)

    def write(self, point: Point) -> None:
        self._trouble(point)
        self.told.append(point)

    def close(self) -> None:
        self.closed = True


def notes(emitted: list[Event]) -> list[str]:
    return [event.text for event in emitted if isinstance(event, Noted)]


def test_every_event_goes_on_and_every_step_is_written_in_order() -> None:
    writer, emitted = Kept(), list[Event]()
    with Tracking(emitted.append, [Tracker("it", lambda: writer)]) as emit:
        events = [BEGUN, *(record(step) for step in range(50))]
        for event in events:
            emit(event)
    assert emitted == events
    assert writer.told[0] == BEGUN
    assert [each.step for each in writer.told[1:] if isinstance(each, Point)] == list(range(1, 51))
    assert writer.closed


def test_a_writer_that_fails_is_said_once_and_the_run_goes_on_with_the_others() -> None:
    def fail(point: Point) -> None:
        if point.step == 3:
            raise OSError("the disk is full")

    bad, good, emitted = Kept(fail), Kept(), list[Event]()
    with Tracking(emitted.append, [Tracker("bad", lambda: bad), Tracker("good", lambda: good)]) as emit:
        for step in range(50):
            emit(record(step))
    assert notes(emitted) == ["training goes on without bad: the disk is full"]
    assert (len(bad.told), len(good.told)) == (2, 50)
    assert bad.closed


@pytest.mark.parametrize("error", [ImportError("no such package"), ZeroDivisionError()])
def test_a_writer_that_cannot_be_made_is_said_once(error: Exception) -> None:
    def make() -> Kept:
        raise error

    emitted = list[Event]()
    with Tracking(emitted.append, [Tracker("it", make)]) as emit:
        emit(BEGUN)
        emit(record(0))
    assert [note.startswith("training goes on without it") for note in notes(emitted)] == [True]


def test_a_writer_that_hangs_loses_points_and_nobody_waits_for_it() -> None:
    hanging, emitted = threading.Event(), list[Event]()
    writer = Kept(lambda _: bool(hanging.wait()) and None)
    tracker = Tracker("slow", lambda: writer)
    tracking = Tracking(emitted.append, [tracker])
    for step in range(QUEUE_MAX + 100):
        tracking(record(step))
    assert len(emitted) == QUEUE_MAX + 100 + 1
    assert notes(emitted) == ["training goes on, but slow is behind: some of its points are left out"]
    tracker.close(within_s=0.01)  # it still hangs
    assert writer.told == []
    hanging.set()
    tracker.close()
    assert writer.closed
    assert QUEUE_MAX <= len(writer.told) <= QUEUE_MAX + 1


def test_a_tracker_of_a_run_that_never_began_makes_no_writer() -> None:
    with Tracking(lambda _: None, [Tracker("it", lambda: pytest.fail("made"))]) as emit:
        emit(Noted(text="looking for the bootstrap"))
