"""Real processes, all of them killed by SIGKILL in the middle of a run, that go on with it."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

from btard.ledger.audit import audit
from btard.ledger.directory import RunDirectory
from btard.ledger.history import read_history
from btard.run.events import Announced, Ended, read_event
from tests.swarm.commands import TIMEOUT_S, btard, start, wait_for_line

PEERS, STEPS = 3, 40
LAST_SEEN = 4
"""The record after which all are killed."""

Child = subprocess.Popen[str]


def started(stack: ExitStack, folder: Path, *arguments: str) -> Child:
    """A process that is killed at the end, if it still runs then."""
    child = stack.enter_context(start(arguments, folder))
    stack.callback(child.kill)
    return child


def bootstrap(stack: ExitStack, folder: Path, *arguments: str) -> tuple[Child, str]:
    """A bootstrap, and the line to join by."""
    child = started(stack, folder, "bootstrap", "--host", "127.0.0.1", "--key", "b.key", "--json", *arguments)
    announced = read_event(wait_for_line(child, '"announced"'))
    assert isinstance(announced, Announced)
    return child, announced.addresses[0]


def peers(stack: ExitStack, folder: Path, join: str, *arguments: str) -> list[Child]:
    common = ("--join", join, "--host", "127.0.0.1", "--json", "--evaluate-every", "1")
    return [
        started(
            stack,
            folder,
            *("peer", *common, "--out", f"peer-{index}", "--checkpoint-every", "3", *arguments),
        )
        for index in range(PEERS)
    ]


def kill(children: list[Child]) -> None:
    for child in children:
        os.killpg(child.pid, signal.SIGKILL)
    for child in children:
        child.communicate(timeout=TIMEOUT_S)


def ended(child: Child) -> Ended:
    said, _ = child.communicate(timeout=TIMEOUT_S)
    (last,) = (line for line in said.splitlines() if '"event":"ended"' in line)
    event = read_event(last)
    assert isinstance(event, Ended)
    return event


def test_a_run_whose_processes_were_all_killed_goes_on_to_its_end(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, join = bootstrap(
            stack,
            tmp_path,
            "--task",
            "digits",
            "--peers",
            str(PEERS),
            "--steps",
            str(STEPS),
            "--delta-s",
            "1",
        )
        children = peers(stack, tmp_path, join)
        wait_for_line(children[0], f'"index":{LAST_SEEN},')
        kill([first, *children])
        before = [read_history(RunDirectory(tmp_path / f"peer-{index}").ledger) for index in range(PEERS)]
        assert max(history.state.index for history in before) < STEPS
        curve = [(e.index, e.model) for e in RunDirectory.open(tmp_path / "peer-0").events()]

        second, join = bootstrap(stack, tmp_path, "--resume", "peer-0")
        ends = [ended(child) for child in peers(stack, tmp_path, join, "--resume")]
        kill([second])

    assert {(end.outcome, end.steps) for end in ends} == {("finished", STEPS)}
    assert len({(end.model, end.ledger) for end in ends}) == 1
    events = list(RunDirectory.open(tmp_path / "peer-0").events())
    assert [(e.index, e.model) for e in events][: len(curve)] == curve
    assert [event.index for event in events] == list(range(STEPS + 1))
    assert all(not event.removals for event in events)
    report = audit(tmp_path / "peer-0", recompute=4)
    assert (report.closed, report.steps, len(report.recomputed)) == (True, STEPS, 4)
    assert report.head.hex() == ends[0].ledger


def test_resuming_what_cannot_be_resumed_is_one_sentence(tmp_path: Path) -> None:
    nowhere = btard("peer", "--join", f"127.0.0.1:9/{'ab' * 32}", "--out", "none", "--resume", cwd=tmp_path)
    assert nowhere.returncode == 1
    assert nowhere.stderr.startswith("btard: none holds no run to resume: ")
    none = btard("bootstrap", "--resume", "none", cwd=tmp_path)
    assert none.returncode == 1
    assert none.stderr.startswith("btard: none is not the directory of a run")
    both = btard(
        *("peer", "--join", f"127.0.0.1:9/{'ab' * 32}", "--out", "none", "--resume", "--overwrite"),
        cwd=tmp_path,
    )
    assert (both.returncode, both.stderr.count("\n")) == (1, 1)
