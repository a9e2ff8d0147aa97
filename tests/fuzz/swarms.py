"""Whole swarms in which one member or two do what `hostile.py` makes up, and the honest answer.

The honest must not raise, must end with one ledger and one model, and must neither blame nor remove each
other: their links are perfect and their work is done at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import msgpack

from btard.crypto import Identity, digest
from btard.machine import Actions, Send
from btard.node.driver import Work
from btard.protocol.outputs import FINISHED, Diverged
from btard.protocol.peer import PeerMachine
from btard.types import PeerId
from btard.wire import Sealed, open_sealed
from tests.cheats import Scripted
from tests.fuzz.hostile import Hostile
from tests.fuzz.mutation import mutate_tree, pack
from tests.rig import CONFIG, Peer, Rig

STEPS = 2
LIES_MAX = 60
"""Messages that one cheat makes up in a run."""


@dataclass(kw_only=True, eq=False)
class Liar(Scripted):
    """Changes, drops and doubles what it says, to some or to all, and adds what nobody asked for."""

    random: Random
    rate: float
    lies: int = 0
    _hostile: Hostile | None = field(init=False, default=None)
    _heard: list[bytes] = field(init=False, default_factory=list)

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        if self._hostile is None:
            self._hostile = Hostile(self.random, self.identity, self._heard)
        self._heard += [send.raw for send in out.messages][: max(0, 64 - len(self._heard))]
        out.messages = [each for send in out.messages for each in self._lied(send)]
        while self.lies < LIES_MAX and self.random.random() < self.rate and machine.ended is None:
            self.lies += 1
            raw = self._hostile.message(machine)
            out.messages.append(Send(self._some(machine.state.members), raw))
        self.before = machine.state
        return out

    def claims(self, name: bytes, size_bytes: int) -> int:
        return self.random.choice((size_bytes,) * 8 + (0, 4, 1 << 40)) if self.rate else size_bytes

    def _some(self, members: tuple[PeerId, ...]) -> tuple[PeerId, ...]:
        others = [peer for peer in members if peer != self.me]
        return tuple(self.random.sample(others, self.random.randrange(len(others) + 1)))

    def _lied(self, send: Send) -> list[Send]:
        """What leaves in place of a message."""
        if self.lies >= LIES_MAX or self.random.random() > self.rate:
            return [send]
        self.lies += 1
        some = self._some(send.to)
        rest = tuple(peer for peer in send.to if peer not in some)
        changed = self._changed(send.raw)
        choices: tuple[list[Send], ...] = (
            [Send(some, send.raw)],
            [send, send],
            [Send(send.to, changed)],
            [Send(some, changed), Send(rest, send.raw)],
            [send, Send(some, changed)],
            [],
        )
        return self.random.choice(choices)

    def _changed(self, raw: bytes) -> bytes:
        """A message with one field changed, signed again if it is its own."""
        opened = open_sealed(raw)
        if not isinstance(opened, Sealed) or opened.envelope.sender != self.me:
            return pack(mutate_tree(self.random, msgpack.unpackb(raw)))
        payload = pack(mutate_tree(self.random, msgpack.unpackb(opened.envelope.payload)))
        return self.sealed(opened.envelope.phase, payload)


class LiarsRig(Rig):
    """A rig in which a liar may deceive its own machine so far that it ends with another model."""

    def carry(self, peer: Peer, work: Work) -> None:
        if peer.adversary is not None:
            work.outputs = [output for output in work.outputs if not isinstance(output, Diverged)]
        super().carry(peer, work)


class Swarm:
    """One run, all of whose choices `random` makes."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.peers = random.choice((3, 4, 4, 5))
        cheats = (self.peers - 1) // 2
        seats = random.sample(range(self.peers), random.choice((1, cheats)))
        rate = random.choice((0.02, 0.1, 0.5))
        run = digest("fuzzed swarm", random.randbytes(16))

        def liar(identity: Identity, **given: object) -> Liar:
            return Liar(identity=identity, random=random, rate=rate, **given)  # type: ignore[arg-type]

        delay = random.choice((0.0, 0.3))
        self.rig = LiarsRig(
            self.peers,
            STEPS,
            config=CONFIG,
            run=run,
            cheats=dict.fromkeys(seats, liar),
            delay=lambda sender, to, raw, now: delay * random.random(),
        )

    def run(self) -> Swarm:
        """Run it to its end. Raises what a driver raises, and AssertionError for a broken promise."""
        rig = self.rig.run()
        byzantine = {peer.name for peer in rig.byzantine}
        out = {removal[1:] for removal in rig.removals() if rig.peers[removal[0]].name not in byzantine}
        assert not out, f"an honest peer is out: {out}"
        blamed = [fault for fault in rig.faults() if fault.peer not in byzantine]
        assert not blamed, f"an honest peer is blamed: {blamed[0].kind} {blamed[0].detail}"
        reasons = {peer.machine.ended.reason for peer in rig.honest if peer.machine.ended is not None}
        assert reasons == {FINISHED}, f"the run ends otherwise: {reasons}"
        assert len(rig.models()) == 1, "models differ"
        return self


def read_swarm(raw: bytes) -> Swarm:
    """Run the swarm that these bytes seed."""
    return Swarm(Random(raw)).run()
