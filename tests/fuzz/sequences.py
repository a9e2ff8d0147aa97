"""Sequences of hostile events against one peer: the production driver and machine, and a recorded run.

The honest peers of the run say what they said, delayed, doubled or lost; the Byzantine one says what
`hostile.py` makes up; strangers repeat it; effects end late, and time passes whenever it likes. The peer must
not raise, must not keep more than its bounds, and must not blame an honest peer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from btard.crypto import digest
from btard.machine import Effect
from btard.node.driver import WAITING_BYTES_MAX, Offer, Work
from btard.protocol.messages import MAX_VIEW_BYTES, PAYLOADS, PHASES, REQUESTS, size_max
from btard.protocol.outputs import Recorded
from btard.protocol.peer import EARLY_BYTES_MAX
from btard.protocol.record import BAN
from btard.protocol.slow_path import VIEWS_MAX
from btard.types import Digest, PeerId
from btard.wire import Rejection, Sealed, decode, open_sealed
from tests.fuzz.hostile import Hostile
from tests.fuzz.material import BYZANTINE, CHEATS, PEERS, STEPS, STRANGER
from tests.rig import Peer, Rig

EVENTS_MAX = 600
FLOOD = 1500
"""Messages of a flood; one sequence in forty has one."""

STORE_BYTES = 1 << 22


@dataclass(frozen=True)
class Heard:
    """What came to the peer of seat 0: control bytes, or a blob if `name` is given.

    `after` are the messages of seat 0 that these bytes contain or follow upon: nobody can know a message that
    it has yet to sign, or say what an honest peer says only once it has come."""

    at: float
    sender: int
    raw: bytes
    name: Digest | None = None
    after: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class Tape:
    """A run as seat 0 heard it, and the ledger heads that it went through."""

    rig: Rig
    heard: tuple[Heard, ...]
    heads: frozenset[bytes]


class _Recorder(Rig):
    def __init__(self, cheat: str) -> None:
        self.heard: list[Heard] = []
        self.own: dict[bytes, Sealed] = {}
        super().__init__(
            PEERS,
            STEPS,
            run=digest("taped run", cheat.encode()),
            cheats={BYZANTINE: CHEATS[cheat]},
            delay=lambda sender, to, raw, now: 0.05 * (1 + sender),
            effect_s=lambda peer, effect: 0.3 + 0.1 * peer.seat,
        )

    def send(self, sender: Peer, to: Peer, raw: bytes) -> None:
        if sender.seat == 0 and isinstance(opened := open_sealed(raw), Sealed):
            self.own[raw] = opened
        if to.seat == 0:
            self.heard.append(Heard(self.now + 0.05 * (1 + sender.seat), sender.seat, raw))
        super().send(sender, to, raw)

    def offer(self, sender: Peer, to: Peer, name: Digest, data: bytes) -> None:
        if to.seat == 0:
            self.heard.append(Heard(self.now, sender.seat, data, name))
        super().offer(sender, to, name, data)


@cache
def tape(cheat: str) -> Tape:
    """The run of a cheat, taped."""
    rig = _Recorder(cheat)
    rig.run()
    states = [recorded.state for peer in rig.honest for recorded in peer.recorded]
    heads = frozenset((rig.genesis.head, *(state.head for state in states)))
    own = [each for each in rig.own.values() if each.envelope.sender == rig.peers[0].name]

    def after(raw: bytes) -> frozenset[bytes]:
        opened = open_sealed(raw)
        place = _place(opened) if isinstance(opened, Sealed) else (-1, -1, -1)
        return frozenset(each.raw for each in own if each.raw in raw or _place(each) < place)

    return Tape(rig, tuple(replace(each, after=after(each.raw)) for each in rig.heard), heads)


def _place(sealed: Sealed) -> tuple[int, int, int]:
    """Step, attempt and phase of a message; view and endorsement may come in any phase."""
    said = sealed.envelope
    return said.step, said.attempt, PHASES.index(said.phase) if said.phase in PHASES else -1


def kept_bytes(root: object) -> int:
    """The size of all `bytes` that are reachable from `root` through attributes and containers, each once."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    total = 0
    while waiting:
        item = waiting.pop()
        if id(item) in seen or item is None or isinstance(item, (type, bool, str, int, float)):
            continue
        seen.add(id(item))
        if isinstance(item, bytes):
            total += len(item)
        elif isinstance(item, dict):
            waiting += (*item.keys(), *item.values())
        elif isinstance(item, (list, tuple, set, frozenset)):
            waiting += item
        elif not callable(item):
            waiting += vars(item).values() if hasattr(item, "__dict__") else ()
            slots = (name for kind in type(item).__mro__ for name in _slots(kind))
            waiting += (getattr(item, name, None) for name in slots)
    return total


def _slots(kind: type) -> tuple[str, ...]:
    slots = getattr(kind, "__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def kept_bytes_max(members: int, directions: int) -> int:
    """What a peer may keep: two messages a slot; of each other member early messages, those before the first
    step, and two views of each author; its store."""
    slots = sum(2 * members * size_max(phase, members, directions) for phase in PAYLOADS)
    views = members * members * VIEWS_MAX * 2 * MAX_VIEW_BYTES
    return 2 * slots + (members - 1) * (EARLY_BYTES_MAX + WAITING_BYTES_MAX) + views + STORE_BYTES


@dataclass
class Sequence:
    """One sequence, all of whose choices `random` makes. `run` plays it to its end."""

    random: Random
    events: int = 0
    faults: int = 0
    kept_bytes: int = 0
    ended: bool = False
    flooded: bool = False
    sent: set[bytes] = field(default_factory=set)
    waiting: list[Heard] = field(default_factory=list)
    """Lost, or not yet said: it comes once the peer has sent a message, since it asks for what it lacks."""
    _now: float = 0.0
    _heap: list[tuple[float, int, Callable[[], Work]]] = field(default_factory=list)
    _number: Any = field(default_factory=count)

    def run(self) -> Sequence:
        """Play the sequence. Raises whatever the driver raises, and AssertionError for a broken promise."""
        random = self.random
        self.tape = tape(random.choice(list(CHEATS)))
        rig = self.tape.rig
        self.keys = [peer.identity for peer in rig.peers]
        self.byzantine = {self.keys[BYZANTINE].peer, STRANGER.peer}
        self.peer = rig.peer(0, self.keys[0])
        said = [each.raw for each in self.tape.heard if each.name is None and not each.after]
        self.hostile = Hostile(random, self.keys[BYZANTINE], said)
        self.outsider = Hostile(random, STRANGER, said)
        self.late_effects = random.choice((0.0, 0.0, 0.0, 0.3))
        self._prepare()
        begin = random.choice((0.0, 0.0, 0.1, 3.0))
        self._at(begin, lambda: self.peer.driver.begin(self._now))
        while self._heap and self.events < EVENTS_MAX and not self.ended:
            self._turn()
        if self.flooded or random.random() < 0.1:
            self.kept_bytes = kept_bytes(self.peer.driver)
            most = kept_bytes_max(PEERS, self.peer.machine.state.config.directions)
            assert self.kept_bytes <= most, f"{self.kept_bytes} bytes are kept instead of at most {most}"
        return self

    # ------------------------------------------------------------ what will happen

    def _prepare(self) -> None:
        random = self.random
        loss, doubled, late = (
            random.choice((0.0, 0.0, 0.05, 0.3)),
            random.choice((0.0, 0.1)),
            random.choice((0.0, 1.0, 10.0)),
        )
        lies = random.choice((0.0, 0.0, 0.1, 1.0))
        end = max(each.at for each in self.tape.heard)
        for each in self.tape.heard:
            lied = each.sender == BYZANTINE and random.random() < lies
            if lied:
                continue
            if random.random() < loss:
                self.waiting.append(each)
                continue
            for _ in range(1 + (random.random() < doubled)):
                self._at(each.at + late * random.random() ** 4, lambda each=each: self._hear(each))
        first = random.choice((0.0, random.random() * end))
        for _ in range(random.choice((1, 3, 10, 30, 80))):
            act = random.choice(
                (self._lie, self._lie, self._lie, self._lie, self._push, self._stranger, self._tick)
            )
            self._at(first + random.random() * (end + 1.0 - first), act)
        if random.random() < 0.025:
            self._at(random.random() * end, self._flood)

    def _at(self, time: float, act: Callable[[], Work]) -> None:
        heappush(self._heap, (max(time, self._now), next(self._number), act))

    def _turn(self) -> None:
        """Let the next event happen, or the tick that is due before it."""
        wake = self.peer.driver.wake
        if wake is not None and wake <= self._heap[0][0] and self.random.random() < 0.9:
            self._now = max(self._now, wake)
            self._carry(self.peer.driver.tick(self._now))
        else:
            self._now, _, act = heappop(self._heap)
            self._carry(act())
        if not self._heap and self.peer.driver.wake is not None:
            self._at(self.peer.driver.wake, lambda: self.peer.driver.tick(self._now))

    # ------------------------------------------------------------ events

    def _hear(self, each: Heard) -> Work:
        """What an honest peer said, or the Byzantine one when it did not lie."""
        if not each.after <= self.sent:
            self.waiting.append(each)
            return Work()
        sender = self.keys[each.sender].peer
        head, driver = self.peer.machine.state.head, self.peer.driver
        if each.name is None:
            work = driver.received(sender, each.raw, self._now)
        else:
            work = self._blob(sender, each.name, each.raw, len(each.raw))
        if head in self.tape.heads:
            blamed = [fault for fault in work.faults if fault.peer not in self.byzantine]
            assert not blamed, f"an honest peer is blamed: {blamed[0]}"
        return work

    def _lie(self) -> Work:
        raw = self.hostile.message(self.peer.machine)
        return self._blame(self.peer.driver.received(self.keys[BYZANTINE].peer, raw, self._now))

    def _stranger(self) -> Work:
        raw = self.random.choice((self.hostile, self.outsider)).message(self.peer.machine)
        return self._blame(self.peer.driver.received(STRANGER.peer, raw, self._now))

    def _push(self) -> Work:
        name, body, claimed = self.hostile.blob()
        sender = self.random.choice((self.keys[BYZANTINE].peer, STRANGER.peer))
        return self._blame(self._blob(sender, name, body, claimed))

    def _blob(self, sender: PeerId, name: Digest, body: bytes, claimed: int) -> Work:
        """Offer a blob; a transport carries it only if it has the size that was claimed."""
        answer = self.peer.driver.offered(sender, name, claimed)
        if answer is Offer.HELD:
            return self.peer.driver.held(name, self._now)
        wanted = answer is Offer.WANTED and claimed == len(body)
        return self.peer.driver.arrived(name, body, self._now) if wanted else Work()

    def _tick(self) -> Work:
        return self.peer.driver.tick(self._now) if self.peer.driver.wake is not None else Work()

    def _flood(self) -> Work:
        self.flooded = True
        for raw in self.hostile.flood(self.peer.machine, FLOOD):
            self._blame(self.peer.driver.received(self.keys[BYZANTINE].peer, raw, self._now))
        return Work()

    def _blame(self, work: Work) -> Work:
        assert all(fault.peer in self.byzantine for fault in work.faults), (
            "an honest peer is blamed for a lie"
        )
        return work

    # ------------------------------------------------------------ what it comes to

    def _carry(self, work: Work) -> None:
        self.events += 1
        self.faults += len(work.faults)
        if work.messages:
            self.sent.update(send.raw for send in work.messages)
            ready = [each for each in self.waiting if each.after <= self.sent]
            self.waiting = [each for each in self.waiting if not each.after <= self.sent]
            for each in ready:
                self._at(self._now + 0.1, lambda each=each: self._hear(each))
        for send in work.messages:
            opened = open_sealed(send.raw)
            assert isinstance(opened, Sealed) or not isinstance(decode(REQUESTS, send.raw), Rejection)
        for output in work.outputs:
            if isinstance(output, Recorded):
                removals = output.entry.record.removals
                assert all(r.kind != BAN or r.peer in self.byzantine for r in removals), (
                    "an honest peer is banned"
                )
        for effect in work.effects:
            self._perform(effect)
        self.ended = self.peer.machine.ended is not None

    def _perform(self, effect: Effect) -> None:
        """Perform an effect at once, and tell the peer of it now, soon or much too late."""
        result = self.peer.perform(effect)
        wait = self.random.random() * 90.0 if self.random.random() < self.late_effects else 0.3
        self._at(self._now + wait, lambda: self.peer.driver.done(effect, result, self._now))


def read_sequence(raw: bytes) -> Sequence:
    """Play the sequence that these bytes seed: the form in which `fuzz` runs and keeps it."""
    return Sequence(Random(raw)).run()


def another(random: Random, raw: bytes = b"", others: object = ()) -> bytes:
    """Another seed."""
    return random.randbytes(8)
