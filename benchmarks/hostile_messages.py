"""A victim, and every kind of message that a member can send it, made in the cheapest way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from btard.codec import FP32
from btard.crypto import Identity, digest
from btard.machine import ComputeGradient
from btard.node.driver import Driver
from btard.protocol import messages
from btard.protocol.agreed import Seating
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import CALL, ENDORSE, GRADIENT, PHASES, VIEW, size_max
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.training import BlobStore
from btard.wire import MAX_CONTROL_BYTES, MAX_PEERS, SEALED_PREFIX, Envelope, encode, prefix_of, seal

DIMENSION = 1 << 16
CONFIG = ProtocolConfig()


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
