"""What a message costs whoever makes it, and what it costs the peer that it comes to.

    python -m benchmarks.hostile [--peers 16] [--seconds 1] [--attempts 10] [--kind KIND]

The attacker is a member. For `--seconds` of its own processor time it does nothing but make messages of one
kind in the cheapest way that it has (all but the last field prepared, one signature where the kind takes one)
and write them to a socket. The victim reads them from a socket and gives them to the production driver and
machine, in phase AGGREGATE of an attempt whose GRADIENT is complete; what it answers is written to a socket.
Both sides count processor time alone. The victim begins `--attempts` attempts meanwhile, each of which lets
the attacker have everything anew that is bounded in an attempt.

gRPC and TLS are left out of both sides: a peer that reads costs as much as one that writes, and what one
sender may take of a loop's time is bounded by the clock (`network/allowance.py`, `benchmarks.strangers`).

Must hold: the victim takes at most 2 s for each second of the attacker, in every kind. Beside it stands the
debt: by how many milliseconds of an attempt the victim is ever ahead of twice the attacker's time, because
what comes first costs most. Printed, and written to benchmarks/results/ as Markdown and JSON; the exit status
is 1 if the bar does not hold.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import process_time

from benchmarks.hostile_messages import KINDS, Make, Stage
from benchmarks.machine import describe, in_words, keep
from btard.node.driver import Work

BAR = 2.0
CALIBRATION = 64
"""Messages of which the cost of one is estimated, to make as many as fill the time."""
BATCH = 32
"""Messages between two readings of the clock."""


@dataclass(frozen=True, slots=True)
class Row:
    """Of one kind: messages, bytes a message, microseconds of processor time a message, bytes answered for
    each byte sent, and the debt in milliseconds."""

    kind: str
    messages: int
    bytes: int
    attacker_us: float
    victim_us: float
    answered: float
    debt_ms: float

    @property
    def factor(self) -> float:
        """What one second of the attacker costs the victim, in seconds."""
        return self.victim_us / self.attacker_us

    @property
    def holds(self) -> bool:
        """Whether the bar holds."""
        return self.factor <= BAR


# ---------------------------------------------------------------- measuring


class Wire:
    """A socket that carries bytes to itself, at the cost of the system calls."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.send_s = self.receive_s = 0.0

    def carry(self, raws: Sequence[bytes]) -> None:
        """Write and read these bytes; `send_s` and `receive_s` grow by what each took."""
        for raw in raws:
            for start in range(0, len(raw), 1 << 16):
                chunk = raw[start : start + (1 << 16)]
                began = process_time()
                self._near.sendall(chunk)
                sent = process_time()
                self._far.recv(len(chunk), socket.MSG_WAITALL)
                self.receive_s += process_time() - sent
                self.send_s += sent - began

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self._far.close()


def measure(kind: str, make: Make, peers: int, seconds: float, attempts: int) -> Row:
    """Let an attacker work for `seconds`, against a victim that begins so many attempts meanwhile."""
    count = estimate(make, peers, seconds / attempts)
    attacker = victim = debt = 0.0
    sent = received = 0
    for number in range(attempts):
        stage, wire, answers = Stage(peers, number), Wire(), Wire()
        start = process_time()
        made = make(stage, count)
        making = (process_time() - start) / count
        mine = theirs = 0.0
        for at in range(0, count, BATCH):
            batch = made[at : at + BATCH]
            wire.carry(batch)
            start = process_time()
            works = [stage.driver.received(stage.byzantine.peer, raw, 1.0) for raw in batch]
            theirs += process_time() - start
            said = [raw for work in works for raw in _answers(work)]
            answers.carry(said)
            sent, received = sent + sum(map(len, batch)), received + sum(map(len, said))
            mine += making * len(batch)
            debt = max(debt, theirs + wire.receive_s + answers.send_s - BAR * (mine + wire.send_s))
        attacker += mine + wire.send_s
        victim += theirs + wire.receive_s + answers.send_s
        wire.close()
        answers.close()
    many = count * attempts
    us = 1e6 / many
    return Row(kind, many, sent // many, us * attacker, us * victim, received / sent, 1e3 * debt)


def estimate(make: Make, peers: int, seconds: float) -> int:
    """Return how many messages fill so much of the attacker's time."""
    stage, wire = Stage(peers, 0), Wire()
    made: list[bytes] = []
    start = process_time()
    while not made or process_time() < start + 0.02:
        made += make(stage, CALIBRATION)
    making = process_time() - start
    wire.carry(made[:CALIBRATION])
    one = making / len(made) + wire.send_s / CALIBRATION
    wire.close()
    return max(1, round(seconds / one))


def _answers(work: Work) -> Sequence[bytes]:
    return [send.raw for send in work.messages for _ in send.to]


def table(rows: Sequence[Row], where: dict[str, str | int], options: argparse.Namespace) -> str:
    """The report."""
    lines = [
        "# What a hostile message costs",
        "",
        f"`python -m benchmarks.hostile --peers {options.peers} --seconds {options.seconds:g} "
        f"--attempts {options.attempts}`",
        "",
        f"{options.peers} peers. A member sends messages of one kind for {options.seconds:g} s of its own",
        f"processor time, in {options.attempts} attempts. Microseconds of processor time a message; the",
        "factor is what one second of the attacker costs the victim. Must hold: at most "
        f"{BAR:g}. The debt is by",
        f"how much, in milliseconds of an attempt, the victim is ever ahead of {BAR:g} times the attacker:",
        "what comes first costs most, and is bounded.",
        "",
        "| kind | messages | bytes | attacker | victim | factor | debt, ms | answered bytes a byte | holds |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
        *(
            f"| {r.kind} | {r.messages} | {r.bytes} | {r.attacker_us:.1f} | {r.victim_us:.1f} "
            f"| {r.factor:.2f} | {r.debt_ms:.1f} | {r.answered:.2f} | {'yes' if r.holds else '**no**'} |"
            for r in rows
        ),
        "",
        in_words(where),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure every kind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile")
    parser.add_argument("--peers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--attempts", type=int, default=10)
    parser.add_argument("--kind", choices=KINDS, help="this kind alone; nothing is written")
    options = parser.parse_args()
    chosen = {options.kind: KINDS[options.kind]} if options.kind else KINDS
    rows = []
    for kind, make in chosen.items():
        rows.append(measure(kind, make, options.peers, options.seconds, options.attempts))
        print(f"{kind}: {rows[-1].factor:.2f}, debt {rows[-1].debt_ms:.1f} ms", file=sys.stderr, flush=True)
    where = describe()
    text = table(rows, where, options)
    if options.kind:
        print(text)
    else:
        keep("hostile", [asdict(row) | {"factor": row.factor, "holds": row.holds} for row in rows], text)
    failed = [row.kind for row in rows if not row.holds]
    if failed:
        print(f"The bar does not hold in: {'; '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
