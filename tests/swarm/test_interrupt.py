"""Ctrl-C and SIGTERM on a swarm of processes, and on a peer and its bootstrap alone."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

from btard.swarm.children import Child
from tests.swarm.commands import TIMEOUT_S, start, wait_for_line

ROOT = Path(__file__).parents[2]


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
    task = ("--task", "tests.tasks:quadratic")  # code of this machine, which all children are told to trust
    child = start(["swarm", *task, "--peers", "2", "--steps", "5000", "--out", tmp_path / "run"], ROOT)
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


class Started:
    """A command in a process of its own, forked from the server of local swarms: torch is imported once."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._process = child._process

    @classmethod
    async def of(cls, *arguments: str | Path) -> Started:
        return cls(await Child.start((*map(str, arguments), "--host", "127.0.0.1")))

    async def line(self, words: str) -> str:
        """Read on until a line has these words."""
        async for line in self._child.output:
            if words in (text := line.decode()):
                return text
        raise AssertionError(f"{words!r} was never said: {await self._child.last_words()}")

    async def end(self, number: int | None = None) -> tuple[int | None, str]:
        """Send a signal, if any; its exit status, and all that it says from now on."""
        if number is not None:
            assert self._process.pid is not None
            os.kill(self._process.pid, number)
        said = (await self._child.output.read()).decode() + await self._child.last_words()
        return self._process.exitcode, said

    def kill(self) -> None:
        self._process.kill()


async def test_every_way_out_of_a_run_has_its_status(tmp_path: Path) -> None:
    """One peer leaves before the run begins, one is banned, one comes too late, two are told to end, and one
    comes when the run is over."""
    run = ("--peers", "3", "--steps", "5000", "--delta-s", "1")
    started = [await Started.of("bootstrap", *run, "--key", tmp_path / "key")]
    (bootstrap,) = started
    try:
        address = (await bootstrap.line("--join")).split()[-1]

        async def join(name: str, *arguments: str) -> Started:
            started.append(await Started.of("peer", "--join", address, "--out", tmp_path / name, *arguments))
            return started[-1]

        leaves = await join("leaves")
        await bootstrap.line("1 of 3")
        assert (await leaves.end(signal.SIGINT))[0] == 130
        await bootstrap.line("0 of 3")

        one, two = await join("one"), await join("two")
        cheat = await join("cheat", "--byzantine", "wrong_aggregate")
        for peer in (one, two, cheat):
            await peer.line("training begins")
        late = await join("late")
        status, said = await cheat.end()
        assert status == 4, said
        assert "wrong aggregate" in said
        status, said = await late.end()
        assert (status, "begun without this peer" in said, "joined" in said) == (4, True, False), said

        status, said = await one.end(signal.SIGTERM)
        assert (status, "Traceback" in said) == (0, False), said
        status, said = await two.end(signal.SIGINT)
        assert (status, said.endswith("btard: interrupted")) == (130, True), said
        assert all((tmp_path / name / "model.safetensors").exists() for name in ("one", "two"))

        status, said = await (await join("over")).end()
        assert (status, "begun without this peer" in said) == (4, True), said
        status, said = await bootstrap.end(signal.SIGTERM)
        assert (status, "Traceback" in said) == (0, False), said
    finally:
        for each in started:
            each.kill()
