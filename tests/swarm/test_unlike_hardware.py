"""A swarm of processes with unlike arithmetic: one model to the end, the attacker banned, nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.swarm.commands import environment, wait_for_line
from tests.training.machines import machines

STEPS = 12


def begin(cwd: Path, settings: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start `btard` on what passes for another machine."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "btard", *arguments, "--host", "127.0.0.1", "--json"],
        cwd=cwd,
        env={**environment(), **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_peers_with_unlike_kernels_train_one_model_and_ban_the_attacker(tmp_path: Path) -> None:
    plan = ("--task", "digits", "--peers", "4", "--steps", str(STEPS), "--validators", "2")
    bootstrap = begin(tmp_path, {}, "bootstrap", *plan)
    peers: list[subprocess.Popen[str]] = []
    settings = [each | {"OMP_NUM_THREADS": str(threads)} for threads, each in machines()[:3]]
    try:
        address = json.loads(wait_for_line(bootstrap, '"announced"'))["addresses"][0]
        attacks = ["", "", "", "sign_flip"]
        peers = [
            begin(
                tmp_path,
                own,
                *("peer", "--join", address, "--out", f"run-{index}"),
                *(("--byzantine", attack) if attack else ()),
            )
            for index, (own, attack) in enumerate(zip([*settings, {}], attacks, strict=True))
        ]
        said = [peer.communicate() for peer in peers]
    finally:
        for process in (bootstrap, *peers):
            process.kill()
        bootstrap.communicate()
    attacker = peers.pop()
    assert attacker.returncode == 4, said[3]
    assert [peer.returncode for peer in peers] == [0, 0, 0], said
    events = [[json.loads(line) for line in output.splitlines()] for output, _ in said[:3]]
    ends = [each[-1] for each in events]
    assert [end["steps"] for end in ends] == [STEPS] * 3
    assert len({(end["model"], end["ledger"]) for end in ends}) == 1
    removals = [removal for event in events[0] for removal in event.get("removals", ())]
    assert [(removal["kind"], removal["reason"]) for removal in removals] == [("ban", "false gradient")]
