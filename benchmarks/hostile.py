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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import process_time
from typing import Any

from benchmarks.machine import describe, in_words, keep
from btard.codec import FP32
from btard.crypto import Identity, digest
from btard.machine import ComputeGradient
from btard.node.driver import Driver, Work
from btard.protocol import messages
from btard.protocol.agreed import Seating
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import CALL, ENDORSE, GRADIENT, PHASES, VIEW, size_max
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.training import BlobStore
from btard.wire import MAX_CONTROL_BYTES, MAX_PEERS, SEALED_PREFIX, Envelope, encode, prefix_of, seal

BAR = 2.0
DIMENSION = 1 << 16
CONFIG = ProtocolConfig()
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


class Stage:
    """A victim and its attacker in an attempt of `peers`, all of whose GRADIENT messages have come. `number`
    tells runs apart: opened messages are remembered, so those of another repetition would cost nothing."""

    def __init__(self, peers: int, number: int) -> None:
        keys = [Identity.from_seed(digest("benchmark", bytes([k]))) for k in range(peers)]
        self.keys = sorted(keys, key=lambda key: key.peer)
        self.byzantine = self.keys[-1]
        state = RosterState.genesis(
            digest("hostile run", _number(number)), CONFIG, [key.peer for key in self.keys]
        )
        self.seating = Seating(state)
        machine = PeerMachine(self.keys[0], bytes(32), state, 10, DIMENSION, 0.0)
        self.driver = Driver(machine, BlobStore(1 << 24), FP32)
        for effect in self.driver.begin(0.0).effects:
            assert isinstance(effect, ComputeGradient)
            self.driver.done(effect, self._parts(self.keys[0]), 0.0)
        for key in self.keys[1:]:
            said = messages.GradientCommitment(state.head, self._parts(key), bytes(32), (), ())
            self.driver.received(key.peer, self.sealed(GRADIENT, encode(said), key), 0.0)
        assert machine.attempt.phase == messages.AGGREGATE

    def _parts(self, key: Identity) -> tuple[bytes, ...]:
        return tuple(digest("part", key.peer, bytes([part])) for part in range(len(self.keys)))

    def sealed(self, phase: str, payload: bytes, key: Identity | None = None, attempt: int = 0) -> bytes:
        """A message of the attacker, or of `key`, for a slot of the attempt or of a later one."""
        key = key or self.byzantine
        run, step, _, phase, roster = self.seating.place(phase)
        return seal(key, Envelope(run, step, attempt, phase, roster, key.peer, payload))


Make = Callable[[Stage, int], list[bytes]]
"""(stage, how many) -> so many different messages."""


# ---------------------------------------------------------------- kinds of messages


def _number(k: int, size: int = 32) -> bytes:
    return k.to_bytes(size, "big")


def smallest(phase: str) -> Make:
    """Nothing that decodes, signed: the first takes the slot, the second convicts, the rest are ignored."""
    return lambda stage, count: [stage.sealed(phase, _number(k, 4)) for k in range(count)]


def largest(phase: str) -> Make:
    """As many bytes as the slot takes, of the items that decode slowest."""

    def make(stage: Stage, count: int) -> list[bytes]:
        room = size_max(phase, len(stage.keys), CONFIG.directions) - 512
        head = encode(messages.PAYLOADS[phase](bytes(32), *_fields(phase, room)))
        at = head.index(bytes(32))
        return [stage.sealed(phase, head[:at] + _number(k) + head[at + 32 :]) for k in range(count)]

    return make


def _fields(phase: str, room: int) -> tuple[Any, ...]:
    scalars = messages.PartScalars((1.5,) * 32, 1.0, 1.0, 1.0)
    late = tuple(messages.Late(_number(k), 1) for k in range(min(256, room // 100)))
    fields: dict[str, tuple[Any, ...]] = {
        messages.GRADIENT: (
            (bytes(range(32)),) * min(256, room // 2 // 34),
            b"c" * 32,
            (),
            (),
            (1,) * 8,
            late,
        ),
        messages.AGGREGATE: (b"a" * 32, (1,) * 256),
        messages.REVEAL: (b"a" * 32, b"b" * 32, (1,) * 256),
        messages.SCALARS: ((scalars,) * min(256, room // 320), b"f" * 32),
        messages.ACCUSE: (
            (messages.Accusation("row", 1, 1),) * min(257, room // 10),
            None,
            b"s" * 32,
            (1,) * 200,
        ),
        messages.VERDICT: ((messages.Vote((), ()),) * min(66048, (room - 100) // 5),),
        messages.RECORD: (b"r" * 32,),
    }
    return fields[phase]


def repeated(stage: Stage, count: int) -> list[bytes]:
    """One message again and again."""
    return [stage.sealed(GRADIENT, b"x")] * count


def unsigned(stage: Stage, count: int) -> list[bytes]:
    """A message with other signatures, none of which holds."""
    raw = stage.sealed(GRADIENT, b"x")
    return [raw[:-64] + _number(k, 8) + raw[-56:] for k in range(count)]  # not its end: that is seen at once


def later(stage: Stage, count: int) -> list[bytes]:
    """Messages of attempts to come."""
    return [stage.sealed(GRADIENT, b"x", attempt=1 + k) for k in range(count)]


def noise(size: int) -> Make:
    """Bytes that nobody can read."""
    return lambda stage, count: [b"\xc1" * (size - 8) + _number(k, 8) for k in range(count)]


def nested(stage: Stage, count: int) -> list[bytes]:
    """Arrays in arrays that claim more items than there are, as a payload that the attacker signs."""
    bomb = b"\xdd\x00\x01\x00\x00" * 600
    return [stage.sealed(messages.VERDICT, bomb + _number(k, 4)) for k in range(count)]


def endorsements(stage: Stage, count: int) -> list[bytes]:
    """Endorsements of nothing."""
    return [stage.sealed(ENDORSE, _number(k, 4)) for k in range(count)]


def needs(stage: Stage, count: int) -> list[bytes]:
    """One request for everything that the victim holds, again and again."""
    seats = tuple(range(len(stage.keys)))
    return [encode(messages.Need(0, 0, GRADIENT, seats))] * count


def wants(stage: Stage, count: int) -> list[bytes]:
    """Requests for as many blobs as fit, none of which exists."""
    raw = encode(messages.Want(0, 0, (bytes(32), *(digest("wanted", _number(k)) for k in range(255)))))
    at = raw.index(bytes(32))
    return [raw[:at] + _number(k) + raw[at + 32 :] for k in range(count)]


def views(dispute: int) -> Make:
    """Empty views of one's own, each a new one."""

    def make(stage: Stage, count: int) -> list[bytes]:
        def relay(k: int) -> bytes:
            view = stage.sealed(VIEW, encode(messages.View(dispute, ("",) * (k % 2), (_number(k, 4),))))
            return encode(messages.ViewRelay(0, 0, dispute, view, (), ()))

        return [relay(k) for k in range(count)]

    return make


def full_views(stage: Stage, count: int) -> list[bytes]:
    """A view of the dispute to come, as full as it may be, again and again: it is signed once."""
    room = messages.view_bytes_max(len(stage.keys), CONFIG.directions) - 1024
    kept = min(2 * MAX_PEERS + 2, room // 220)
    said = tuple(stage.sealed(messages.RECORD, _number(k, 4)) for k in range(kept))
    sealed = stage.sealed(VIEW, encode(messages.View(1, (), said)))
    return [encode(messages.ViewRelay(0, 0, 1, sealed, (), ()))] * count


def false_chains(stage: Stage, count: int) -> list[bytes]:
    """Views of the dispute under way, whose relays did not sign."""

    def relay(k: int) -> bytes:
        view = stage.sealed(VIEW, encode(messages.View(0, (), (_number(k, 4),))))
        return encode(messages.ViewRelay(0, 0, 0, view, (1, 2, 3), (bytes(64),) * 3))

    return [relay(k) for k in range(count)]


def calls(stage: Stage, count: int) -> list[bytes]:
    """Calls for the dispute to come, each another message."""
    said = [encode(messages.Call(0, phase)) for phase in PHASES]
    return [stage.sealed(CALL, said[k % len(said)] + _number(k, 4)) for k in range(count)]


def resigned(stage: Stage, count: int) -> list[bytes]:
    """What an honest peer has said, with other signatures: nothing that is lacking."""
    raw = stage.sealed(GRADIENT, b"x", stage.keys[1])
    return [raw[:-64] + _number(k, 8) + raw[-56:] for k in range(count)]


def after(head: bytes) -> Make:
    """Bytes that begin as a message does."""
    return lambda stage, count: [head + b"\xc1" * 180 + _number(k, 8) for k in range(count)]


KINDS: dict[str, Make] = {
    **{f"{phase}, smallest": smallest(phase) for phase in PHASES},
    **{f"{phase}, largest": largest(phase) for phase in PHASES},
    "a message, repeated": repeated,
    "a message, false signature": unsigned,
    "a message of another, signed anew": resigned,
    "a message of a later attempt": later,
    "nested arrays, signed": nested,
    "noise, 64 bytes": noise(64),
    "noise, as large as it may be": noise(MAX_CONTROL_BYTES),
    "noise after the head of a message": after(SEALED_PREFIX),
    "noise after the head of a request": after(prefix_of(messages.Need)),
    "noise after the head of a view": after(prefix_of(messages.ViewRelay)),
    "call": calls,
    "endorsement": endorsements,
    "need": needs,
    "want": wants,
    "view of this dispute": views(0),
    "view of the next dispute": views(1),
    "view of the next dispute, full, repeated": full_views,
    "view of this dispute, false relays": false_chains,
}


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
