"""Events as a person reads them in 80 columns, and as programs do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from btard.console.event_console import EventConsole
from btard.console.progress import LOG_S
from btard.errors import NetworkError
from btard.run.events import (
    Announced,
    AttemptEnded,
    Begun,
    Ended,
    Event,
    Failed,
    FaultSeen,
    Gathered,
    InPhase,
    Noted,
    Outcome,
    Removal,
    Stalled,
    read_event,
)

COLUMNS = 80
PEERS = tuple(f"{k}" * 64 for k in "abcdefgh")
A = PEERS[0]
BAN = Removal(peer=PEERS[1], kind="ban", reason="false gradient")
BEGUN = Begun(run="12" * 32, task="digits", steps=120, members=PEERS, seat=2)


def step(index: int, *removals: Removal, metrics: dict[str, float] | None = None) -> AttemptEnded:
    return AttemptEnded(
        index=index,
        step=index,
        attempt=0,
        kind="step",
        disputed=False,
        roster=8 - len(removals),
        removals=removals,
        ledger="aa" * 32,
        model="bb" * 32,
        metrics={"loss": 0.5, "accuracy": 0.5} if metrics is None else metrics,
    )


def stalled(*missing: str, waited_s: float = 12.3, dispute_in_s: float = 14.9) -> Stalled:
    return Stalled(
        step=3, attempt=0, phase="aggregate", missing=missing, waited_s=waited_s, dispute_in_s=dispute_in_s
    )


def in_phase(step: int = 1, phase: str = "gradient", waited_s: float = 95.0) -> InPhase:
    place = {"step": step, "attempt": 0, "phase": phase, "in_dispute": False}
    work = {"waited_s": waited_s, "work": "gradient", "share": 0.5, "missing": PEERS}
    return InPhase.model_validate({**place, **work})


def ended(outcome: Outcome, reason: str, run_dir: Path | None) -> Ended:
    return Ended(
        peer=PEERS[2],
        outcome=outcome,
        reason=reason,
        steps=120,
        model="bb" * 32,
        ledger="aa" * 32,
        blob_bytes=30_000_000,
        control_bytes=1,
        parameters=10,
        faults=0,
        run_dir=None if run_dir is None else str(run_dir),
    )


Shown = Callable[..., str]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    """What is on the screen when a console has taken events."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))

    def show(events: Iterable[Event], **options: Any) -> str:
        with EventConsole(**options) as console:
            for event in events:
                console(event)
        return capsys.readouterr().out

    return show


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([stalled(A)], "waiting 12 s for aaaaaaaa (aggregate); the others go on in 15 s without it"),
        (
            [stalled(*PEERS[:6], dispute_in_s=-1.0)],
            "waiting 12 s for aaaaaaaa, bbbbbbbb, cccccccc, dddddddd and 2 more (aggregate); "
            "deciding whether to go on without them",
        ),
        ([], "this peer is cccccccc of aaaaaaaa bbbbbbbb"),
        ([step(7, BAN)], "step 7 bbbbbbbb banned: false gradient"),
        ([step(7, BAN)], "bans 1"),
        ([FaultSeen(peer=A, kind="flood", detail="too many")], "aaaaaaaa misbehaved: flood (too many)"),
    ],
    ids=["stalled", "past the deadline", "roster", "ban", "bans", "fault"],
)
def test_a_run_says_who_is_there_who_misbehaves_and_who_is_waited_for(
    events: list[Event], words: str, shown: Shown
) -> None:
    assert words in " ".join(shown([BEGUN, *events]).split())


def test_a_step_that_goes_on_waits_for_nobody(shown: Shown) -> None:
    assert "waiting" not in shown([BEGUN, stalled(A), step(3)])


def test_a_runs_progress_fits_in_80_columns(shown: Shown) -> None:
    text = shown([BEGUN, *(step(k) for k in range(60)), stalled(A)])
    assert "60/120" in text
    assert "roster 8  bans 0  loss 0.500  accuracy 50.0%" in text
    assert max(len(line) for line in text.splitlines()[-3:]) <= COLUMNS


def test_metrics_of_any_name_are_shown_and_stay_until_the_next_evaluation(shown: Shown) -> None:
    metrics = {"perplexity": 1234.5, "order accuracy": 0.51, "loss": 0.00012}
    text = shown([BEGUN, step(3, metrics=metrics), step(4, metrics={})])
    assert "roster 8  bans 0  perplexity 1234.5  order accuracy 51.0%  loss 0.00012" in text


def test_the_end_says_where_all_lies_or_how_to_keep_it_and_why_a_seat_was_lost(
    shown: Shown, tmp_path: Path
) -> None:
    text = shown([BEGUN, step(119), ended("finished", "finished", tmp_path)])
    for name in ("model.safetensors", "ledger.btard", "metrics.jsonl"):
        assert str(tmp_path / name) in text
    assert f"btard audit {tmp_path}" in text
    assert "30.0 MB sent" in text
    text = shown([BEGUN, ended("seat_lost", "this peer was banned in step 3: false gradient", None)])
    assert "this peer was banned in step 3: false gradient" in text
    assert "--out" in text


def test_a_bootstrap_prints_a_line_that_can_be_pasted_and_counts_peers(shown: Shown) -> None:
    address = f"/ip4/192.0.2.2/tcp/31337/p2p/{'k' * 52}"
    text = shown(
        [
            Announced(run="12" * 32, addresses=(address, "/ip4/127.0.0.1/tcp/1")),
            Gathered(present=1, seats=2),
            Gathered(present=2, seats=2),
        ]
    )
    assert f"    btard peer --join {address}\n" in text
    assert "1 of 2 peers are here: waiting" in text
    assert "2 of 2 peers are here: the run begins" in text


def test_a_local_swarm_shows_how_many_processes_have_joined(shown: Shown) -> None:
    text = shown([Gathered(present=0, seats=8), Gathered(present=3, seats=8)], names={})
    assert "joined 3/8" in text
    assert "processes are starting" in text
    begun = shown([Gathered(present=8, seats=8), BEGUN, step(0)], names={PEERS[0]: "peer-0"})
    assert "all 8 peers are there: training begins" in begun
    assert "1/120" in begun
    assert "starting" not in begun


def test_a_strangers_text_can_neither_colour_nor_move_the_terminal(shown: Shown) -> None:
    hostile = "[bold red]\x1b[2Jbanned[/] \r\n"
    removal = Removal(peer=PEERS[1], kind="ban", reason=hostile)
    fault = FaultSeen(peer=PEERS[0], kind="flood", detail=hostile)
    text = shown([Noted(text=hostile), BEGUN, step(1, removal), fault])
    assert "\x1b" not in text
    assert text.count("[bold red]?[2Jbanned[/] ??") == 3


Watch = Callable[..., list[str]]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Watch:
    """The live lines of a terminal after events, each so many seconds after the one before."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")

    def show(*events: tuple[float, Event]) -> list[str]:
        now = 1000.0
        with EventConsole(clock=lambda: now) as console:
            for seconds, event in events:
                now += seconds
                console(event)
            console._progress.refresh()
            text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out)
        lines = [line.rstrip() for line in text.splitlines()]
        assert max(map(len, lines)) <= COLUMNS
        last = max(k for k, line in enumerate(lines) if line.startswith("step"))
        return lines[last:]

    return show


def test_a_terminal_shows_the_phase_under_way_the_pace_and_what_remains(watch: Watch) -> None:
    first = step(0).model_copy(update={"training_loss": 2.5})
    bar, *lines = watch((0, BEGUN), (134, first), (34, in_phase()))
    assert bar.startswith("step   1/120 ")
    assert bar.endswith(" 134.0 s/step 0:02:48 4:25:12 left")
    assert lines == [
        "roster 8  bans 0  loss 0.500  accuracy 50.0%",
        "training loss 2.500",
        "gradient 95 s  computing 50%  waiting for 8 of 8",
    ]


def test_a_step_counts_before_its_record_which_may_wait_for_an_evaluation(watch: Watch) -> None:
    bar, *_ = watch(
        (0, BEGUN), (10, in_phase(0)), (10, in_phase(1)), (5, in_phase(2, waited_s=0)), (5, step(0))
    )
    assert bar.startswith("step   2/120 ")
    assert " 12.5 s/step " in bar


@pytest.mark.parametrize(
    ("event", "stays"),
    [
        (in_phase(3, "aggregate", 13.3), True),
        (in_phase(3, "aggregate", 0.5), False),  # it began again, after a dispute
        (in_phase(3, "reveal", 0.5), False),
        (step(2), True),  # a record that comes late
        (step(3), False),
    ],
)
def test_who_was_waited_for_is_not_shown_any_longer_than_that(
    event: Event, stays: bool, watch: Watch
) -> None:
    lines = watch((0, BEGUN), (20, stalled(A)), (1, event))
    assert any("waiting 12 s for aaaaaaaa (aggregate)" in line for line in lines) == stays


def test_a_file_gets_a_line_about_the_last_step_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    now = 0.0
    with EventConsole(clock=lambda: now) as console:
        console(BEGUN)
        for k in range(100):
            now += LOG_S / 4
            console(in_phase(k))
            console(step(k))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert len(lines) == 25 + 1
    assert lines[0] == "step 4/120  2.5 s/step  0:04:50 left  roster 8  bans 0  loss 0.500  accuracy 50.0%"


def test_programs_get_the_phases_only_if_they_ask(shown: Shown) -> None:
    assert shown([in_phase()], json=True) == ""
    event = in_phase()
    assert read_event(shown([event], json=True, phases=True)) == event


def test_programs_get_each_event_as_one_line(shown: Shown, tmp_path: Path) -> None:
    events = [
        Noted(text="a\nb"),
        Announced(run="12", addresses=("x",)),
        Gathered(present=1, seats=2),
        BEGUN,
        stalled(A),
        step(0),
        FaultSeen(peer=PEERS[0], kind="flood", detail=""),
        ended("halted", "no majority", tmp_path),
    ]
    assert [read_event(line) for line in shown(events, json=True).splitlines()] == events


def test_an_error_that_ends_the_run_is_the_last_event(capsys: pytest.CaptureFixture[str]) -> None:
    for json in (True, False):
        with pytest.raises(NetworkError), EventConsole(json=json):
            raise NetworkError("nobody answers")
        lines = capsys.readouterr().out.splitlines()
        last = read_event(lines[-1]) if lines else None
        assert (isinstance(last, Failed) and last.reason == "nobody answers") == json
