"""A whole swarm in one process: the same node code, on a memory transport and in virtual time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from btard.adversary import parse_adversaries
from btard.ledger.directory import RunDirectory
from btard.run.plan import plan_run
from btard.run.report import EndReport, StepReport
from btard.swarm.in_process import run_in_process
from btard.swarm.spec import SwarmSpec
from btard.swarm.summary import Summary, summarise
from tests.swarm.commands import btard


def run(spec: SwarmSpec, path: Path) -> tuple[Summary, list[StepReport], tuple[EndReport, ...]]:
    """Run it; its summary, its reports and how each peer ended."""
    reports: list[StepReport] = []
    with RunDirectory(path) as directory:
        ends = run_in_process(spec, directory, reports.append, evaluate_every=5)
    return summarise(spec, reports, ends, 0.0), reports, ends


def spec_of(peers: int, byzantine: str, steps: int, seed: int = 0, **options: int) -> SwarmSpec:
    kinds = parse_adversaries(byzantine)
    config = plan_run("digits", peers=peers, byzantine=len(kinds), steps=steps, seed=seed, **options)
    return SwarmSpec(config, kinds)


def test_same_seed_same_ledger_byte_for_byte(tmp_path: Path) -> None:
    spec = spec_of(5, "sign_flip,equivocation", steps=6)
    first, _, _ = run(spec, tmp_path / "one")
    second, _, _ = run(spec, tmp_path / "two")
    assert first == second
    ledgers = [(tmp_path / name / "ledger.btard").read_bytes() for name in ("one", "two")]
    assert ledgers[0] == ledgers[1]


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
def test_honest_nodes_keep_one_model_and_their_seats_beside(kind: str, tmp_path: Path) -> None:
    summary, reports, ends = run(spec_of(5, kind, steps=5, validators=2), tmp_path / "run")
    assert summary.problems == ()
    honest = [end for end in ends if end.peer not in {each.peer for each in summary.exits}]
    assert len({end.ledger for end in honest if end.finished}) == 1
    assert sum(report.kind == "step" for report in reports) == 5


def test_the_command_writes_the_summary_that_programs_read(tmp_path: Path) -> None:
    done = btard(
        *("swarm", "--in-process", "--peers", "4", "--steps", "3", "--byzantine", "wrong_aggregate"),
        *("--json", "summary.json"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [(each["byzantine"], each["reason"]) for each in summary["banned"]] == [
        ("wrong_aggregate", "wrong aggregate")
    ]
    expected = {"final_accuracy", "final_loss", "steps", "seconds", "banned", "bytes_per_peer_step"}
    assert expected | {"bytes_ratio", "model_digest", "ledger_digest"} <= summary.keys()
