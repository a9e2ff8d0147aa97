"""Ctrl-C on a swarm of processes."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

from tests.swarm.commands import TIMEOUT_S, start, wait_for_line


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
    child = start(["swarm", "--peers", "3", "--steps", "5000"], tmp_path)
    try:
        wait_for_line(child, "training begins")
        before = descendants_of(child.pid)
        assert len(before) >= 4, "a bootstrap and three peers"
        handles = {line: os.pidfd_open(int(line.split()[0])) for line in before}
        os.killpg(child.pid, signal.SIGINT)
        child.communicate(timeout=TIMEOUT_S)
        assert child.returncode == 130
        # A daemon of a child that had to be killed follows it by the kernel's hand, a moment later.
        left = [line for line, handle in handles.items() if not select.select([handle], [], [], TIMEOUT_S)[0]]
        assert left == []
    finally:
        child.kill()
