"""What strangers that connect, and a member that floods, cost a real swarm on this machine.

    python -m benchmarks.strangers [--peers 4] [--seconds 10] [--repetitions 3]

A bootstrap and `btard peer` processes train the task digits. Windows of `--seconds` alternate within one run,
and the steps of the first peer, the victim, are counted in each:

    quiet    nobody attacks
    decoy    processes open connections as fast as they can to a port where nobody listens: what an attacker
             itself takes from a machine that it shares with its victims
    crowd    the same processes open them to the victim, from several addresses, and hold 20,000 of them
    loris    a process takes every place of a stranger, and sends a byte a tenth of a second on each
    busy     the last peer wastes three tenths of a processor and sends nothing: what a flood takes from a
             swarm because the one that floods is of it, and does its own part later
    noise    the last peer is honest but sends the victim 64 KiB messages without meaning between its own, as
             fast as the connection takes them, up to 100 MB/s
    small    it sends 200 bytes of one message of its own instead, up to 20,000 a second
    blobs    it offers blobs that nobody asked for, as fast as they are refused

The attackers that are processes of their own run at the lowest priority (nice 19): on another machine they
would take nothing from the victim's processors. The flooding member is one of the swarm, and cannot. The
processor time of the victim a step says what it loses without regard to what its neighbours take.

Must hold: crowd at 0.9 of the steps per second of decoy, loris at 0.9 of quiet, floods at 0.9 of busy
(medians), at least 20,000 connections, and of the victim at most 64 MiB more memory and 200 more descriptors
than when quiet. The floods come last, because the protocol may take the seat of a member that makes itself
late. Printed, and written to benchmarks/results/ as Markdown and JSON; the exit status is 1 if a bar does not
hold.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.attackers import MESSAGES
from benchmarks.machine import describe, in_words, keep

BAR = 0.9
CONNECTIONS_MIN = 20_000
MEMORY_MAX = 64 << 20
DESCRIPTORS_MAX = 200
CROWDS = 2
"""Processes, of HELD connections each."""
SETTLE_S = 2.0
"""Before an attack, and from its beginning to the window: what a peer may save up is soon spent."""
PATIENCE_S = 120.0


# ---------------------------------------------------------------- the swarm


class Swarm:
    """A bootstrap and its peers; the steps of the first one as they come."""

    def __init__(self, stack: ExitStack, peers: int) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="btard-strangers-")))
        self.switch = self.folder / "flood"
        self.events: list[dict[str, object]] = []
        self._stack = stack
        self.port = free_port()
        said = self._start("bootstrap", "btard", "bootstrap", *f"--peers {peers} --steps 1000000".split())
        assert said.stdout is not None
        join = json.loads(said.stdout.readline())["addresses"][0]
        threading.Thread(target=said.stdout.read, daemon=True).start()
        common = ["--join", join, "--evaluate-every", "0", "--task", "digits"]
        mine = ["--port", str(self.port), "--out", str(self.folder / "victim")]
        self.victim = self._start("victim", "btard", "peer", *common, *mine)
        threading.Thread(target=self._read, daemon=True).start()
        for number in range(1, peers - 1):
            other = self._start(f"peer-{number}", "btard", "peer", *common, "--no-out")
            assert other.stdout is not None
            threading.Thread(target=other.stdout.read, daemon=True).start()
        floods = ("benchmarks.attackers", "member", str(self.port), str(self.switch))
        last = self.member = self._start("member", *floods, *common, "--no-out")
        assert last.stdout is not None
        threading.Thread(target=last.stdout.read, daemon=True).start()

    def _start(self, name: str, module: str, *arguments: str) -> subprocess.Popen[str]:
        key = ["--key", str(self.folder / f"{name}.key"), "--host", "127.0.0.1", "--json"]
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments, *key],
            stdout=subprocess.PIPE,
            stderr=(self.folder / f"{name}.err").open("wb"),
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        return process

    def _read(self) -> None:
        assert self.victim.stdout is not None
        for line in self.victim.stdout:
            self.events.append(json.loads(line))

    @property
    def steps(self) -> int:
        """Steps that the victim has made."""
        return sum(event.get("kind") == "step" for event in tuple(self.events))

    @property
    def seats(self) -> int:
        """Members, as of the victim's last record."""
        return next((event["roster"] for event in reversed(self.events) if "roster" in event), 0)  # type: ignore[return-value]

    def wait_for(self, steps: int) -> None:
        """Wait until the victim has made so many steps."""
        end = time.monotonic() + PATIENCE_S
        while self.steps < steps:
            if self.victim.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the swarm does not train: {(self.folder / 'victim.err').read_text()}")
            time.sleep(0.1)

    @property
    def flooded(self) -> int:
        """Messages of floods that have been queued; no more are while those before have not left."""
        sent = self.switch.with_suffix(".sent")
        return sent.stat().st_size if sent.exists() else 0

    @property
    def processor_s(self) -> float:
        """Seconds of processor time that the victim has taken."""
        return self._processor_s(self.victim)

    @property
    def member_s(self) -> float:
        """Seconds of processor time that the member that floods has taken."""
        return self._processor_s(self.member)

    def _processor_s(self, process: subprocess.Popen[str]) -> float:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def used(self) -> tuple[int, int]:
        """The victim's resident bytes and descriptors."""
        process = Path(f"/proc/{self.victim.pid}")
        resident = next(
            1024 * int(line.split()[1])
            for line in (process / "status").read_text().splitlines()
            if line.startswith("VmRSS:")
        )
        return resident, len(list((process / "fd").iterdir()))


@dataclass(slots=True)
class Window:
    """What was seen in one window: of the victim, the milliseconds of processor time a step, the most memory
    and descriptors; of the flooding member, the processor time a second."""

    kind: str
    steps_per_s: float
    processor_ms: float
    memory: int
    descriptors: int
    connections: int
    flood_messages_per_s: float
    member_processors: float
    seats: int


def window(swarm: Swarm, kind: str, seconds: float) -> Window:
    """Let a window pass."""
    time.sleep(SETTLE_S)
    attackers: list[subprocess.Popen[str]] = []
    if kind in ("crowd", "decoy", "loris"):
        port = free_port() if kind == "decoy" else swarm.port
        role = "loris" if kind == "loris" else "crowd"
        command = [sys.executable, "-m", "benchmarks.attackers", role, str(port), str(seconds + SETTLE_S + 1)]
        for _ in range(1 if kind == "loris" else CROWDS):
            attackers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    for attacker in attackers:
        assert attacker.stdout is not None
        attacker.stdout.readline()
    if kind in ("busy", *MESSAGES):
        swarm.switch.with_suffix(".new").write_text(kind)
        swarm.switch.with_suffix(".new").replace(swarm.switch)
    time.sleep(SETTLE_S)
    flooded, member_s = swarm.flooded, swarm.member_s
    before, spent_s, began, used = swarm.steps, swarm.processor_s, time.monotonic(), []
    while time.monotonic() < began + seconds:
        used.append(swarm.used())
        time.sleep(0.2)
    took_s = time.monotonic() - began
    steps, spent_s = swarm.steps - before, swarm.processor_s - spent_s
    swarm.switch.unlink(missing_ok=True)
    memory, descriptors = (max(each) for each in zip(*used, strict=True))
    seen = Window(
        kind,
        steps / took_s,
        1e3 * spent_s / max(1, steps),
        memory,
        descriptors,
        sum(int(attacker.communicate()[0]) for attacker in attackers),
        (swarm.flooded - flooded) / took_s,
        (swarm.member_s - member_s) / took_s,
        swarm.seats,
    )
    print(seen, flush=True)
    return seen


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---------------------------------------------------------------- the report


def median(windows: list[Window], kind: str) -> float:
    """The median of the steps per second of a kind of window."""
    return statistics.median(each.steps_per_s for each in windows if each.kind == kind)


def report(windows: list[Window], faults: dict[str, int], options: argparse.Namespace) -> bool:
    """Print and keep what was seen; return whether all bars hold."""
    where = describe()
    quiet = [each for each in windows if each.kind == "quiet"]
    memory = max(each.memory for each in windows) - quiet[0].memory
    descriptors = max(each.descriptors for each in windows) - quiet[0].descriptors
    crowds = sum(each.connections for each in windows if each.kind == "crowd")
    against = {"crowd": "decoy", "loris": "quiet", **dict.fromkeys(MESSAGES, "busy")}
    bars = {
        f"{kind} / {other}": (median(windows, kind) / median(windows, other), BAR)
        for kind, other in against.items()
    }
    bars["connections"] = (crowds, CONNECTIONS_MIN)
    most = {"MiB more": (memory >> 20, MEMORY_MAX >> 20), "descriptors more": (descriptors, DESCRIPTORS_MAX)}
    command = f"--peers {options.peers} --seconds {options.seconds:g} --repetitions {options.repetitions}"
    lines = [
        "# Strangers that connect, a member that floods",
        "",
        f"`python -m benchmarks.strangers {command}`",
        "",
        f"{in_words(where)}; {options.peers} peers on this machine, task digits.",
        "",
        "Milliseconds of processor time a step, MiB and descriptors are the victim's.",
        "",
        "| window | steps/s | ms a step | MiB | descriptors | connections tried | flood, messages/s | MB/s "
        "| processors of the member | seats |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {each.kind} | {each.steps_per_s:.2f} | {each.processor_ms:.1f} | {each.memory >> 20} "
            f"| {each.descriptors} | {each.connections} | {each.flood_messages_per_s:.0f} "
            f"| {each.flood_messages_per_s * MESSAGES.get(each.kind, 0) / 1e6:.1f} "
            f"| {each.member_processors:.2f} | {each.seats} |"
            for each in windows
        ),
        "",
        *(
            f"- {name}: {value:.2f} (at least {bar}): {'holds' if value >= bar else '**does not hold**'}"
            for name, (value, bar) in bars.items()
        ),
        *(f"- {name}: {value} (at most {bar})" for name, (value, bar) in most.items()),
        f"- faults that the victim reported: {faults}",
        "",
    ]
    keep("strangers", {"machine": where, "windows": [vars_of(each) for each in windows]}, "\n".join(lines))
    return all(value >= bar for value, bar in bars.values()) and all(a <= b for a, b in most.values())


def vars_of(window: Window) -> dict[str, object]:
    """A window as JSON."""
    return {name: getattr(window, name) for name in window.__slots__}


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    with ExitStack() as stack:
        swarm = Swarm(stack, options.peers)
        swarm.wait_for(20)
        windows = [
            window(swarm, kind, options.seconds)
            for kinds in (("quiet", "decoy", "crowd", "loris"), ("quiet", "busy", *MESSAGES))
            for _ in range(options.repetitions)
            for kind in kinds
        ]
        kinds = [str(event["kind"]) for event in swarm.events if event.get("event") == "fault_seen"]
        return 0 if report(windows, {kind: kinds.count(kind) for kind in sorted(set(kinds))}, options) else 1


if __name__ == "__main__":
    sys.exit(main())
