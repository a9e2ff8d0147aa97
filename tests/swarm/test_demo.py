"""The main job, as `make demo` runs it: real processes, the real network stack, three attackers."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from safetensors.torch import load_file

from btard.ledger.directory import RunDirectory
from btard.protocol.messages import PHASES
from btard.training.tasks.digits import perceptron
from tests.swarm.commands import btard

ROOT = Path(__file__).resolve().parents[2]


def demo_arguments() -> list[str]:
    """What `make demo` hands to `btard`."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "demo", "-o", ".venv/.installed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    words = shlex.split(done.stdout.strip().splitlines()[-1])
    return words[words.index("swarm") :]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a demo, which goes on for a while after its last ban."""
    home = tmp_path_factory.mktemp("demo")
    done = btard(*demo_arguments(), "--steps", "60", cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "runs" / "demo"


def test_every_attacker_of_the_demo_is_banned_for_what_it_did_and_nobody_else(demo: Path) -> None:
    summary = json.loads((demo / "summary.json").read_text())
    assert {each["byzantine"]: each["reason"] for each in summary["banned"]} == {
        "sign_flip": "false gradient",
        "wrong_aggregate": "wrong aggregate",
        "false_accusation": "false accusation",
    }
    assert (summary["left"], summary["problems"]) == ([], [])
    assert summary["metrics"]["accuracy"] > 0.95


def test_the_demo_leaves_a_model_to_load_a_figure_and_a_record_of_every_step(demo: Path) -> None:
    directory = RunDirectory.open(demo)
    perceptron().load_state_dict(load_file(directory.model))
    assert directory.figure.read_bytes().startswith(b"\x89PNG")
    events = list(directory.events())
    assert [event.index for event in events] == list(range(len(events)))
    assert all(event.time and event.duration_s for event in events[1:])
    assert all(set(PHASES[:5]) <= event.phases_s.keys() for event in events if event.kind == "step")
    assert {"gradient", "aggregate", "update"} <= {kind for event in events for kind in event.work_s}
    assert all(event.norms and event.training_loss for event in events if event.kind == "step")


def test_the_demo_passes_its_audit_and_fails_it_after_one_byte_was_altered(demo: Path) -> None:
    good = btard("audit", demo, "--recompute", "2", cwd=demo)
    assert good.returncode == 0, good.stdout + good.stderr
    ledger = demo / "ledger.btard"
    raw = bytearray(ledger.read_bytes())
    raw[len(raw) // 2] ^= 1
    ledger.write_bytes(raw)
    bad = btard("audit", demo, cwd=demo)
    assert bad.returncode == 3
    assert "record" in bad.stderr
    assert "Traceback" not in bad.stderr
