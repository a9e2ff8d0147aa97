"""What a message costs whoever makes it, and what it costs the peer that it comes to.

    python -m benchmarks.hostile [--peers 16] [--messages 300] [--repetitions 3]

The attacker is a member. It makes `--messages` messages of one kind in the cheapest way that it has (all but
the last field prepared, one signature where the kind takes one) and writes them to a socket. The victim reads
them from a socket and gives them to the production driver and machine, in phase AGGREGATE of an attempt whose
GRADIENT is complete; what it answers is written to a socket. Both sides count processor time alone. gRPC and
TLS, the same for both, are left out. Quotas count: what a victim refuses after some messages is cheap from
then on.

Must hold: victim <= 2 x attacker in every kind. Printed, and written to benchmarks/results/ as Markdown and
JSON; the exit status is 1 if it does not hold.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import process_time

from benchmarks.machine import describe, in_words, keep
from btard.codec import FP32
from btard.crypto import Identity, digest
from btard.machine import ComputeGradient
from btard.node.driver import Driver, Work
from btard.protocol import messages
from btard.protocol.agreed import Seating
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import ENDORSE, GRADIENT, PHASES, VIEW, size_max
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.training import BlobStore
from btard.wire import MAX_CONTROL_BYTES, Envelope, encode, seal

BAR = 2.0
DIMENSION = 1 << 16
CONFIG = ProtocolConfig()
KEPT_MESSAGES = 4096
"""Messages in one view: as many as a view may hold."""


@dataclass(frozen=True, slots=True)
class Row:
    """Microseconds of processor time a message, bytes a message, and bytes answered for each byte sent."""

    kind: str
    bytes: int
    attacker_us: float
    victim_us: float
    answered: float

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
            digest("hostile run", _number(number)), CONFIG, [key.peer for key in self.keys], steps=10
        )
        self.seating = Seating(state)
        machine = PeerMachine(self.keys[0], bytes(32), state, DIMENSION, 0.0)
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
        return seal(key, Envelope(run, step, attempt, phase, roster, key.peer, payload))  # type: ignore[arg-type]


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
        head = encode(messages.PAYLOADS[phase](bytes(32), *_fields(phase, room)))  # type: ignore[call-arg]
        at = head.index(bytes(32))
        return [stage.sealed(phase, head[:at] + _number(k) + head[at + 32 :]) for k in range(count)]

    return make


def _fields(phase: str, room: int) -> tuple[object, ...]:
    scalars = messages.PartScalars((1.5,) * 32, 1.0, 1.0)
    fields: dict[str, tuple[object, ...]] = {
        messages.GRADIENT: ((bytes(range(32)),) * min(256, room // 34), b"c" * 32, (), ()),
        messages.AGGREGATE: (b"a" * 32, (1,) * 256),
        "relay": ((1,) * min(65536, room - 100),),
        messages.REVEAL: (b"a" * 32, b"b" * 32, (1,) * 256),
        messages.SCALARS: ((scalars,) * min(256, room // 320), b"f" * 32),
        messages.ACCUSE: ((messages.Accusation("row", 1),) * min(257, room // 9), None, b"s" * 32),
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
    said = tuple(stage.sealed(messages.RECORD, _number(k, 4)) for k in range(KEPT_MESSAGES))
    sealed = stage.sealed(VIEW, encode(messages.View(1, (), said)))
    return [encode(messages.ViewRelay(0, 0, 1, sealed, (), ()))] * count


def false_chains(stage: Stage, count: int) -> list[bytes]:
    """Views of the dispute under way, whose relays did not sign."""

    def relay(k: int) -> bytes:
        view = stage.sealed(VIEW, encode(messages.View(0, (), (_number(k, 4),))))
        return encode(messages.ViewRelay(0, 0, 0, view, (1, 2, 3), (bytes(64),) * 3))

    return [relay(k) for k in range(count)]


KINDS: dict[str, Make] = {
    **{f"{phase}, smallest": smallest(phase) for phase in PHASES},
    **{f"{phase}, largest": largest(phase) for phase in PHASES},
    "a message, repeated": repeated,
    "a message, false signature": unsigned,
    "a message of a later attempt": later,
    "nested arrays, signed": nested,
    "noise, 64 bytes": noise(64),
    "noise, as large as it may be": noise(MAX_CONTROL_BYTES),
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
        self._near.setblocking(False)
        self.send_s = self.receive_s = 0.0

    def carry(self, raw: bytes) -> None:
        """Write and read these bytes; `send_s` and `receive_s` grow by what each took."""
        left = memoryview(raw)
        while left:
            start = process_time()
            sent = self._near.send(left[: 1 << 16])
            middle = process_time()
            self._far.recv(sent, socket.MSG_WAITALL)
            self.receive_s += process_time() - middle
            self.send_s += middle - start
            left = left[sent:]

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self._far.close()


def measure(kind: str, make: Make, peers: int, count: int, number: int) -> Row:
    """Let a fresh attacker make `count` messages for a fresh victim."""
    stage, wire, answers = Stage(peers, number), Wire(), Wire()
    start = process_time()
    made = make(stage, count)
    attacker = process_time() - start
    victim, out = 0.0, 0
    for raw in made:
        wire.carry(raw)
        start = process_time()
        work = stage.driver.received(stage.byzantine.peer, raw, 1.0)
        victim += process_time() - start
        for answer in _answers(work):
            out += len(answer)
            answers.carry(answer)
    attacker += wire.send_s
    victim += wire.receive_s + answers.send_s
    size = sum(map(len, made))
    wire.close()
    answers.close()
    return Row(kind, size // count, 1e6 * attacker / count, 1e6 * victim / count, out / size)


def _answers(work: Work) -> Sequence[bytes]:
    return [send.raw for send in work.messages for _ in send.to]


def table(rows: Sequence[Row], where: dict[str, str | int], peers: int, count: int) -> str:
    """The report."""
    lines = [
        "# What a hostile message costs",
        "",
        f"{peers} peers, {count} messages of each kind from one member. Microseconds of processor time a",
        "message; the factor is what one second of the attacker costs the victim. Must hold: at most "
        f"{BAR:g}.",
        "",
        "| kind | bytes | attacker | victim | factor | answered bytes a byte | holds |",
        "|---|---:|---:|---:|---:|---:|---|",
        *(
            f"| {r.kind} | {r.bytes} | {r.attacker_us:.1f} | {r.victim_us:.1f} | {r.factor:.2f} "
            f"| {r.answered:.1f} | {'yes' if r.holds else '**no**'} |"
            for r in rows
        ),
        "",
        in_words(where),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure every kind, the cheapest repetition of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile")
    parser.add_argument("--peers", type=int, default=16)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--kind", choices=KINDS, help="this kind alone; nothing is written")
    options = parser.parse_args()
    chosen = {options.kind: KINDS[options.kind]} if options.kind else KINDS
    rows = []
    for kind, make in chosen.items():
        found = [measure(kind, make, options.peers, options.messages, k) for k in range(options.repetitions)]
        rows.append(min(found, key=lambda row: row.attacker_us + row.victim_us))
        print(f"{kind}: {rows[-1].factor:.2f}", file=sys.stderr, flush=True)
    where = describe()
    text = table(rows, where, options.peers, options.messages)
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
