"""All processes of a swarm are killed at one instant, at whatever point, and the run goes on as if nothing
was.

The same models and losses, step by step; nobody removed who would not have been; no slot signed twice."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from shutil import rmtree

import pytest

from btard.adversary import parse_adversaries
from btard.errors import BtardError
from btard.ledger.audit import audit
from btard.ledger.directory import RunDirectory
from btard.ledger.history import read_history
from btard.node.journal import read_segments
from btard.node.resumption import open_run
from btard.node.votes import votes_path
from btard.run.events import AttemptEnded, Ended
from btard.swarm.spec import SwarmSpec
from tests.node.mortal import Swarm
from tests.node.nodes import a_plan

STEPS = 4


def a_spec(*byzantine: str) -> SwarmSpec:
    peers = 5 if byzantine else 4
    return SwarmSpec(a_plan(peers, STEPS), parse_adversaries(",".join(byzantine)), 1 if byzantine else 0)


def course(swarm: Swarm, index: int = 0) -> list[tuple[object, ...]]:
    """What came of each attempt, as a peer's metrics tell: the curve, the models, the removals."""
    events = (event for event in swarm.events[index] if isinstance(event, AttemptEnded))
    return [(e.step, e.attempt, e.kind, e.model, e.metrics, e.removals) for e in events]


@cache
def uninterrupted(*byzantine: str) -> tuple[tuple[object, ...], int]:
    """The course of a run in which nobody dies, and how much its processes do."""
    folder = Path(__file__).parent / "never"
    swarm = Swarm(a_spec(*byzantine), folder)
    folder.mkdir()
    try:
        assert swarm.live() is not None
    finally:
        rmtree(folder)
    return tuple(course(swarm)), swarm.ticks


def signed_twice(swarm: Swarm) -> list[object]:
    """The slots in which an honest peer signed two things, in whatever lives."""
    cheats = swarm.spec.colluders if swarm.spec.byzantine else ()
    return [slot for slot, said in swarm.signed.items() if len(said) > 1 and slot[0] not in cheats]


def goes_on_as_if_nothing_had_been(folder: Path, kills: list[int], *byzantine: str) -> Swarm:
    swarm = Swarm(a_spec(*byzantine), folder)
    for kill_at in kills:
        assert swarm.live(kill_at) is None
    ends = swarm.live()
    assert ends is not None
    assert course(swarm) == list(uninterrupted(*byzantine)[0])
    assert signed_twice(swarm) == []
    assert swarm.silent == set()
    assert {end.outcome for end in ends} <= {"finished", "seat_lost"}
    honest = [end for end in ends if end.outcome == "finished"]
    assert len({(end.model, end.ledger) for end in honest}) == 1
    return swarm


@pytest.mark.parametrize("eighth", range(1, 17))
def test_a_swarm_that_was_killed_whole_goes_on_bit_by_bit(eighth: int, tmp_path: Path) -> None:
    _, ticks = uninterrupted()
    swarm = goes_on_as_if_nothing_had_been(tmp_path, [eighth * ticks // 17 + eighth])
    report = audit(swarm.run_dir(0))
    assert (report.closed, report.steps, report.lost_seats) == (True, STEPS, ())
    written = [(event.index, event.metrics) for event in RunDirectory.open(swarm.run_dir(0)).events()]
    assert [index for index, _ in written] == list(range(report.records))


def test_it_may_be_killed_again_and_again(tmp_path: Path) -> None:
    goes_on_as_if_nothing_had_been(tmp_path, [900, 3, 250, 40, 333])


@pytest.mark.parametrize("kind", ["wrong_aggregate", "ipm", "equivocation"])
@pytest.mark.parametrize("third", [1, 2])
def test_with_a_cheat_the_same_is_banned_for_the_same(kind: str, third: int, tmp_path: Path) -> None:
    course_of, ticks = uninterrupted(kind)
    assert any(each[-1] for each in course_of)
    goes_on_as_if_nothing_had_been(tmp_path, [third * ticks // 3], kind)


@pytest.mark.parametrize("part", range(1, 4))
def test_a_dispute_under_way_begins_its_rounds_again_and_decides_the_same(part: int, tmp_path: Path) -> None:
    _, ticks = uninterrupted("silent")
    goes_on_as_if_nothing_had_been(tmp_path, [part * ticks // 4], "silent")


def killed(folder: Path, kill_at: int = 1_100) -> Swarm:
    swarm = Swarm(a_spec(), folder)
    assert swarm.live(kill_at) is None
    return swarm


def test_a_ledger_that_ends_in_the_middle_of_its_last_record_is_cut_back_wherever_that_is(
    tmp_path: Path,
) -> None:
    swarm = killed(tmp_path)
    path = RunDirectory(swarm.run_dir(0)).ledger
    whole = path.read_bytes()
    history = read_history(path, recent=0)
    assert (history.end, history.torn) == (len(whole), False)
    last = len(history.recent) - 1
    path.write_bytes(whole + bytes(64))
    ends = [history.end]
    assert (read_history(path).end, read_history(path).torn) == (len(whole), True)
    while len(ends) < 2:
        path.write_bytes(whole[: ends[-1] - 1])
        ends.append(read_history(path).end)
    for earlier, later in pairwise(sorted(ends)):
        for cut in range(earlier + 1, later):
            path.write_bytes(whole[:cut])
            found = read_history(path)
            assert (found.end, found.state.index, found.torn) == (earlier, last, True)


def test_a_peer_whose_last_record_was_cut_off_writes_it_again_and_nobody_notices(tmp_path: Path) -> None:
    swarm = killed(tmp_path)
    path = RunDirectory(swarm.run_dir(0)).ledger
    path.write_bytes(path.read_bytes()[:-1])
    assert swarm.live() is not None
    assert swarm.silent == set()
    both_lives = course(swarm)
    assert [each for k, each in enumerate(both_lives) if each not in both_lives[:k]] == list(
        uninterrupted()[0]
    )


def test_a_peer_without_its_journal_is_silent_in_the_attempt_and_misses_the_step(tmp_path: Path) -> None:
    swarm = killed(tmp_path)
    base = votes_path(swarm.key(3), swarm.spec.config.digest)
    assert read_segments(base)
    for path in base.parent.glob("*.step-*"):
        path.write_bytes(path.read_bytes()[:20])
    assert swarm.live() is not None
    assert swarm.silent == {3}
    removals = [removal for each in course(swarm) for removal in each[-1]]  # type: ignore[attr-defined]
    assert [(removal.peer, removal.kind) for removal in removals] == [(swarm.spec.peers[3].hex(), "miss")]
    assert signed_twice(swarm) == []


def test_a_ledger_that_was_altered_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    swarm = killed(tmp_path)
    path = RunDirectory(swarm.run_dir(0)).ledger
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    run_dir = RunDirectory.resume(swarm.run_dir(0))
    with (
        run_dir,
        pytest.raises(BtardError, match=r"cannot be resumed: .* does not hold.*nothing was changed"),
    ):
        open_run(run_dir, swarm.spec.identity(0), swarm.key(0))
    assert path.read_bytes() == raw


def test_what_is_missing_for_the_model_is_said_in_one_sentence(tmp_path: Path) -> None:
    swarm = killed(tmp_path)
    directory = RunDirectory(swarm.run_dir(0))
    for path in (*directory.path.glob("checkpoints/*"), *directory.blobs.iterdir()):
        path.unlink()
    with pytest.raises(BtardError, match=r"lacks the aggregates of step 0; restore its files"):
        swarm.live()
    assert directory.ledger.is_file()


def test_another_key_and_an_empty_directory_are_refused(tmp_path: Path) -> None:
    swarm = killed(tmp_path)
    with RunDirectory.resume(swarm.run_dir(0)) as run_dir, pytest.raises(BtardError, match="another key"):
        open_run(run_dir, SwarmSpec(a_plan(4, STEPS).model_copy(update={"seed": 9})).identity(0), tmp_path)
    with pytest.raises(BtardError, match="holds no run to resume"):
        RunDirectory.resume(tmp_path / "nothing")


def test_the_last_event_is_that_of_a_run_that_was_never_broken_off(tmp_path: Path) -> None:
    swarm = goes_on_as_if_nothing_had_been(tmp_path, [700])
    assert isinstance(swarm.events[0][-1], Ended)
