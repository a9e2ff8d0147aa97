"""Ctrl-C and SIGTERM on a swarm of processes, and on a peer and its bootstrap alone."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

from tests.swarm.commands import TIMEOUT_S, btard, ending, start, wait_for_line


def descendants_of(session: int) -> list[str]:
    """Command lines of processes whose ancestor is `session`."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after = (entry / "stat").read_text().rpartition(")")[2].split()
                names[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            parents[int(entry.name)] = int(after[1])
    found = []
    for pid in parents:
        ancestor = pid
        while ancestor in parents and ancestor != session:
            ancestor = parents[ancestor]
        if ancestor == session and pid != session:
            found.append(f"{pid} {names[pid]}")
    return found


def test_ctrl_c_in_the_middle_of_training_ends_every_process_and_says_so(tmp_path: Path) -> None:
    child = start(["swarm", "--peers", "2", "--steps", "5000"], tmp_path)
    try:
        wait_for_line(child, "training begins")
        before = descendants_of(child.pid)
        assert len(before) >= 3, "a bootstrap and two peers"
        handles = {line: os.pidfd_open(int(line.split()[0])) for line in before}
        os.killpg(child.pid, signal.SIGINT)
        said, _ = child.communicate(timeout=TIMEOUT_S)
        assert child.returncode == 130
        assert said.rstrip().endswith("btard: interrupted")
        # A daemon of a child that had to be killed follows it by the kernel's hand, a moment later.
        left = [line for line, handle in handles.items() if not select.select([handle], [], [], TIMEOUT_S)[0]]
        assert left == []
    finally:
        child.kill()


def test_peers_that_are_told_to_end_do_so_in_order_and_those_that_come_too_late_are_told(
    tmp_path: Path,
) -> None:
    bootstrap = start(["bootstrap", "--peers", "2", "--steps", "5000", "--host", "127.0.0.1"], tmp_path)
    peers = []
    try:
        address = wait_for_line(bootstrap, "--join").split()[-1]
        join = ["peer", "--host", "127.0.0.1", "--join", address, "--out"]
        leaves = start([*join, "leaves"], tmp_path)
        peers.append(leaves)
        wait_for_line(bootstrap, "1 of 2")
        assert ending(leaves, signal.SIGINT)[0] == 130
        wait_for_line(bootstrap, "0 of 2")
        peers += [start([*join, name], tmp_path) for name in ("one", "two")]
        for peer in peers[1:]:
            wait_for_line(peer, "training begins")

        late = btard(*join, "late", cwd=tmp_path)
        assert late.returncode == 4
        assert "begun without this peer" in late.stderr
        assert "joined" not in late.stdout

        status, said = ending(peers[1], signal.SIGTERM)
        assert (status, "Traceback" in said) == (0, False), said
        status, said = ending(peers[2], signal.SIGINT)
        assert (status, said.rstrip().endswith("btard: interrupted")) == (130, True), said
        assert all((tmp_path / name / "model.safetensors").exists() for name in ("one", "two"))

        over = btard(*join, "late", cwd=tmp_path)
        assert over.returncode == 4
        assert "the run is over" in over.stderr
        status, said = ending(bootstrap, signal.SIGTERM)
        assert (status, "Traceback" in said) == (0, False), said
    finally:
        for child in (bootstrap, *peers):
            child.kill()
