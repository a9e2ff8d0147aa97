"""The driver of a machine, without I/O: what is let in, what is kept, what the machine's actions come to.

The node runs it in an event loop, the simulator on a heap, tests on a list: what production decides about
memory, generations of blobs and early messages, simulation decides too. Every method returns the `Work` that
is left to the caller: bytes to carry, effects to perform, outputs to write down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from btard.codec import Codec
from btard.machine import (
    Abandon,
    Actions,
    Adopt,
    BlobHeld,
    Done,
    Effect,
    Event,
    Machine,
    Output,
    PushBlob,
    Received,
    Send,
    TakenUp,
    Tick,
)
from btard.training.store import BlobStore
from btard.types import Bytes, Digest, Fault, PeerId

EARLY_PARTS = 2
"""Parts that a sender may push before this peer knows what they are for."""

WAITING_BYTES_MAX = 2 * 2**20
"""Bytes of one sender's messages that are kept before the first step; the protocol asks for the rest."""

WAITING_OVERHEAD_BYTES = 256
"""What keeping a message costs beside its bytes: it may have none."""


@dataclass(frozen=True, slots=True)
class Push:
    """A blob to be carried to each of `to`."""

    to: tuple[PeerId, ...]
    digest: Digest
    data: Bytes


@dataclass(slots=True)
class Work:
    """What is left to do after an event, in order: messages, pushes, then effects."""

    messages: list[Send] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


NOTHING = Work()
"""No work: shared by all who have none, and never changed."""


class Offer(Enum):
    """The answer to the offer of a blob: its bytes are wanted, or not, or it is held already."""

    WANTED = auto()
    REFUSED = auto()
    HELD = auto()


class Driver:
    """Drives `machine`, honest or adversarial, with the blobs of `store`, which travel in `codec`. `note` is
    told each event before the machine is, but for its beginning.

    Times are in seconds of any origin, never decreasing."""

    def __init__(
        self,
        machine: Machine,
        store: BlobStore,
        codec: Codec,
        note: Callable[[Event, float], None] = lambda event, now: None,
    ) -> None:
        self.machine = machine
        self.note = note
        self.store = store
        self._codec = codec
        self._early: Counter[PeerId] = Counter()
        self._begun = False
        self._waiting: list[Received] = []
        self._waiting_bytes: Counter[PeerId] = Counter()

    @property
    def wake(self) -> float | None:
        """When the next tick is due: never before `begin`, whatever has come."""
        return self.machine.wake if self._begun else None

    def begin(self, now: float) -> Work:
        """Begin the first attempt; messages that came before count as having come now."""
        self._begun = True
        out = self.machine.begin(now)
        out.extend(self._take_waiting(now))
        return self._take(out)

    def take_up(self, now: float) -> Work:
        """Go on with a machine that has begun before (`revival.py`)."""
        self._begun = True
        out = self._tell(TakenUp(), now)
        out.extend(self._take_waiting(now))
        return self._take(out)

    def _take_waiting(self, now: float) -> Actions:
        out = Actions()
        for event in self._waiting:
            out.extend(self._tell(event, now))
        self._waiting.clear()
        return out

    def received(self, sender: PeerId, raw: bytes, now: float) -> Work:
        """Take a control message of an authenticated sender. Before `begin` it is kept, if there is room."""
        if not self.machine.reads(sender, raw, now):
            return NOTHING
        event = Received(sender, raw)
        if self._begun:
            return self._handle(event, now)
        self._waiting_bytes[sender] += len(raw) + WAITING_OVERHEAD_BYTES
        if self._waiting_bytes[sender] <= WAITING_BYTES_MAX:
            self._waiting.append(event)
        return NOTHING

    def held_up(self, sender: PeerId) -> Work:
        """Take note that the transport reads this sender slowly."""
        return self._take(self.machine.hold_up(sender)) if self._begun else NOTHING

    def offered(self, sender: PeerId, name: Digest, size_bytes: int) -> Offer:
        """Answer the offer of a blob, of a size that the sender claims; `held` is to follow the answer HELD.

        Blobs that the attempt expects are wanted, plus a few unannounced ones per sender, because a blob may
        arrive before the message that announces it."""
        held = name in self.store
        fits = size_bytes <= self.machine.part_bytes_max and size_bytes % self._codec.size_bytes(1) == 0
        if not held and not (fits and self.store.fits(size_bytes)):
            return Offer.REFUSED
        if not self.machine.expects(sender, name):
            self._early[sender] += 1
            if self._early[sender] > EARLY_PARTS:
                return Offer.REFUSED
        return Offer.HELD if held else Offer.WANTED

    def held(self, name: Digest, now: float) -> Work:
        """Tell the machine of a blob that was offered and is held already. Its size is the store's, whatever
        the sender claimed, and it counts as new: the store must not drop what the machine is told of."""
        size_bytes = self.store.renew(name)
        return Work() if size_bytes is None else self._handle(BlobHeld(name, size_bytes, True), now)

    def arrived(self, name: Digest, data: Bytes, now: float) -> Work:
        """Take a blob that was wanted, verified against its name. An invalid one is not stored: that it is
        invalid is all that matters."""
        valid = self._codec.is_valid(data)
        if valid:
            if not self.store.fits(len(data)):
                return Work()
            self.store.hold(name, data)
        return self._handle(BlobHeld(name, len(data), valid), now)

    def done(self, effect: Effect, result: Any, now: float) -> Work:
        """Take the result of an effect."""
        return self._handle(Done(effect, result), now)

    def tick(self, now: float) -> Work:
        """Let time pass: called at `wake` or later."""
        return self._handle(Tick(), now)

    def _handle(self, event: Event, now: float) -> Work:
        return self._take(self._tell(event, now))

    def _tell(self, event: Event, now: float) -> Actions:
        self.note(event, now)
        return self.machine.handle(event, now)

    def _take(self, out: Actions) -> Work:
        work = Work(out.messages, outputs=out.outputs, faults=out.faults)
        for effect in out.effects:
            if not isinstance(effect, PushBlob):
                work.effects.append(effect)
                if isinstance(effect, (Abandon, Adopt)):
                    # Blobs that arrive until it is performed are of the next attempt.
                    self.store.begin_generation()
            elif (data := self.store.get(effect.digest)) is not None:
                work.pushes.append(Push(effect.to, effect.digest, data))
        if out.outputs:  # an attempt has ended
            self._early.clear()
        return work
