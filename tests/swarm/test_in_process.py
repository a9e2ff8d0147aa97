"""A whole swarm in one process: the same node code, on a memory transport and in virtual time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from btard.adversary import parse_adversaries
from btard.ledger.directory import RunDirectory
from btard.run.events import AttemptEnded, Ended, Event, read_event
from btard.run.plan import plan_run
from btard.swarm.in_process import run_in_process
from btard.swarm.spec import SwarmSpec
from btard.swarm.summary import Summary, summarise
from tests.swarm.commands import btard


def run(spec: SwarmSpec, path: Path) -> tuple[Summary, list[AttemptEnded], tuple[Ended, ...]]:
    """Run it; its summary, its records and how each peer ended."""
    events: list[Event] = []
    with RunDirectory.create(path) as directory:
        ends = run_in_process(spec, directory, events.append, evaluate_every=5)
    records = [event for event in events if isinstance(event, AttemptEnded)]
    return summarise(spec, spec.config.digest.hex(), records, ends, 0.0), records, ends


def spec_of(peers: int, byzantine: str, steps: int, seed: int = 0, **options: int) -> SwarmSpec:
    kinds = parse_adversaries(byzantine)
    shape = {"peers": peers, "byzantine": len(kinds), "steps": steps, "seed": seed}
    plan = plan_run("digits", delta_s=1.0, **shape, **options)
    return SwarmSpec(plan, kinds)


def test_same_seed_same_ledger_byte_for_byte(tmp_path: Path) -> None:
    spec = spec_of(5, "sign_flip,equivocation", steps=6)
    first, _, _ = run(spec, tmp_path / "one")
    second, _, _ = run(spec, tmp_path / "two")
    assert first == second
    for name in ("ledger.btard", "metrics.jsonl", "model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_another_seed_another_run(tmp_path: Path) -> None:
    first, _, _ = run(spec_of(4, "", steps=2, seed=1), tmp_path / "one")
    second, _, _ = run(spec_of(4, "", steps=2, seed=2), tmp_path / "two")
    assert first.ledger_digest != second.ledger_digest


def test_a_clean_run_sends_at_most_five_percent_more_than_butterfly_all_reduce(tmp_path: Path) -> None:
    summary, _, _ = run(spec_of(8, "", steps=4), tmp_path / "run")
    assert 1.0 <= summary.bytes_ratio <= 1.05
    # The rest are scalars: K projections and two norms of n x n parts, and hashes, of at most 64 bytes each.
    assert summary.control_bytes <= 64 * (4 + 2) * 8 * 8 * 7


LIES = ("nan_gradient", "equivocation(phase=reveal)", "garbage(signed=false)", "silent", "withheld_part")
"""In the work, in messages, in bytes without meaning, in nothing at all, in a transfer."""


@pytest.mark.parametrize("kind", LIES)
def test_honest_peers_keep_one_model_and_their_seats_beside(kind: str, tmp_path: Path) -> None:
    summary, records, ends = run(spec_of(5, kind, steps=5, validators=2), tmp_path / "run")
    assert summary.problems == ()
    honest = [end for end in ends if end.peer not in {each.peer for each in summary.exits}]
    assert len({end.ledger for end in honest if end.outcome == "finished"}) == 1
    assert sum(record.kind == "step" for record in records) == 5


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """The home of a run by the command, and the events that it printed."""
    home = tmp_path_factory.mktemp("command")
    done = btard(
        *("swarm", "--in-process", "--peers", "4", "--steps", "3", "--byzantine", "wrong_aggregate"),
        *("--json", "--track", "tensorboard:curves"),
        cwd=home,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home, [read_event(line) for line in done.stdout.splitlines()]


def test_the_command_writes_the_summary_that_programs_read(command: tuple[Path, list[Event]]) -> None:
    summary = json.loads((command[0] / "runs/swarm/summary.json").read_text())
    assert [(each["byzantine"], each["reason"]) for each in summary["banned"]] == [
        ("wrong_aggregate", "wrong aggregate")
    ]
    expected = {"metrics", "steps", "seconds", "banned", "bytes_per_peer_step"}
    assert expected | {"bytes_ratio", "model_digest", "ledger_digest"} <= summary.keys()


def test_the_command_draws_the_curves_of_the_first_peer(command: tuple[Path, list[Event]]) -> None:
    home, events = command
    found = EventAccumulator(str(home / "curves"))
    found.Reload()
    steps = [event for event in events if isinstance(event, AttemptEnded) and event.kind == "step"]
    assert [(each.step, each.value) for each in found.Scalars("eval/accuracy")] == [
        (event.step + 1, pytest.approx(event.metrics["accuracy"])) for event in steps
    ]


def test_the_command_prints_events_for_programs_and_nothing_else(command: tuple[Path, list[Event]]) -> None:
    home, events = command
    assert {event.event for event in events} == {"noted", "begun", "attempt_ended", "ended"}
    records = [event for event in events if isinstance(event, AttemptEnded)]
    assert records == list(RunDirectory.open(home / "runs/swarm").events())
    assert isinstance(events[-1], Ended)


def test_the_command_refuses_an_earlier_run_and_says_how_to_replace_it(
    command: tuple[Path, list[Event]],
) -> None:
    home, _ = command
    before = (home / "runs/swarm/ledger.btard").read_bytes()
    refused = btard("swarm", "--in-process", "--peers", "4", "--steps", "2", cwd=home)
    assert refused.returncode == 1
    assert "--overwrite" in refused.stderr
    assert (home / "runs/swarm/ledger.btard").read_bytes() == before
