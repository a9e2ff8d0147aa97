"""What a Byzantine member says: messages under its own key, made for the attempt that its victim is in.

They pass the signature, and most of them the place, so that they reach the rules behind both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import msgpack

from btard.crypto import Identity, digest
from btard.protocol import messages
from btard.protocol.messages import ENDORSE, PAYLOADS, PHASES, VIEW
from btard.protocol.peer import PeerMachine
from btard.protocol.record import Record
from btard.types import Digest
from btard.wire import Envelope, Sealed, encode, open_sealed, seal
from tests.fuzz.mutation import mutate_packed, mutate_tree, pack
from tests.fuzz.values import random_message

BLOBS: tuple[bytes, ...] = (
    *(b"", b"\0", bytes(4), bytes(8), bytes(12), bytes(16), bytes(400)),
    *(b"\0\0\xc0\x7f" * 3, b"\0\0\x80\x7f" * 3, b"\xff\xff\x7f\x7f" * 3, b"\x01\0\0\0" * 3),
)
"""Bodies of blobs: of wrong sizes, and of the right one with NaN, infinity, huge and denormal values."""

BLOB_NAMES: tuple[Digest, ...] = tuple(digest("blob", body) for body in BLOBS)


class Hostile:
    """The Byzantine member `key`. `heard` are messages of the run; all its choices are `random`'s."""

    def __init__(self, random: Random, key: Identity, heard: Sequence[bytes]) -> None:
        self._random = random
        self._key = key
        self._heard = heard
        self._sealed = [opened for raw in heard if isinstance(opened := open_sealed(raw), Sealed)]
        kinds = (self.post, self.variant, self.replay, self.noise, self.request, self.view, self.endorsement)
        # A few kinds of each sequence: a second message in a slot, or a view, begins a dispute that hides the
        # rest.
        self._say: Sequence[Callable[[PeerMachine], bytes]] = random.sample(
            kinds, random.choice((1, 2, 3, 7))
        )

    def message(self, machine: PeerMachine) -> bytes:
        """Bytes for a victim in the state of `machine`."""
        return self._random.choice(self._say)(machine)

    def blob(self) -> tuple[Digest, bytes, int]:
        """Name, bytes and claimed size of a blob."""
        body = self._random.choice(BLOBS)
        sizes = (len(body), len(body), 0, 1, 4, 12, 1 << 20, (1 << 64) - 1)
        return digest("blob", body), body, self._random.choice(sizes)

    def flood(self, machine: PeerMachine, count: int) -> list[bytes]:
        """Requests of later attempts, of many bytes each and unsigned."""
        digests = tuple(self._random.randbytes(32) for _ in range(256))
        step = machine.state.step + 1
        return [
            encode(messages.Want(step, number % 100, digests[: 1 + number % 256])) for number in range(count)
        ]

    # ------------------------------------------------------------ what it says

    def post(self, machine: PeerMachine) -> bytes:
        """A payload of random values that mean something, in a slot of the attempt."""
        phase = self._phase(machine)
        payload = random_message(self._random, PAYLOADS[phase], self._known(machine))
        if self._random.random() < 0.8:
            payload = replace(payload, previous_set=machine.attempt.agreed.previous_set)
        return self._seal(machine, phase, encode(payload))

    def variant(self, machine: PeerMachine) -> bytes:
        """What somebody said, with a field changed, as its own."""
        if not self._sealed:
            return self.post(machine)
        phase = self._phase(machine)
        candidates = [each.envelope for each in self._sealed if each.envelope.phase == phase]
        said = self._random.choice(candidates or [self._random.choice(self._sealed).envelope])
        tree: Any = msgpack.unpackb(said.payload)
        for _ in range(self._random.choice((0, 1, 1, 2))):
            tree = mutate_tree(self._random, tree)
        if isinstance(tree, list) and len(tree) > 1 and self._random.random() < 0.7:
            tree[1] = machine.attempt.agreed.previous_set
        return self._seal(machine, said.phase, pack(tree)[: messages.MAX_VIEW_BYTES])

    def replay(self, machine: PeerMachine) -> bytes:
        """A message of the run, whoever signed it."""
        return self._random.choice(self._heard) if self._heard else self.noise(machine)

    def noise(self, machine: PeerMachine) -> bytes:
        """Bytes that nobody signed."""
        raw = self._random.choice(self._heard) if self._heard else self.post(machine)
        return mutate_packed(self._random, raw, ())

    def request(self, machine: PeerMachine) -> bytes:
        """A request: of this attempt, of another, or nonsense."""
        kind = self._random.choice((messages.Need, messages.Want))
        request = random_message(self._random, kind, self._known(machine))
        if self._random.random() < 0.8:
            step, attempt = self._place(machine)
            request = replace(request, step=step, attempt=attempt)
        return encode(request)

    def view(self, machine: PeerMachine) -> bytes:
        """A view, true or not, on its way through a dispute, with signatures that hold or do not."""
        random = self._random
        dispute = random.choice((0, 0, 0, 1, 1, 2, 65536))
        trail: tuple[str, ...] = random.choice(
            ((), machine.attempt.agreed.phases, PHASES[:1], PHASES, ("lunch",))
        )
        board = machine.attempt.board
        held = [*board.raws(PHASES), *board.evidence(), *self._heard]
        count = random.choice((0, 1, 4, 4, 8, 30))
        raws = board.raws(trail[-1:]) if trail and random.random() < 0.5 and trail[-1] in PHASES else ()
        view = messages.View(dispute, trail[:8], (*raws, *random.sample(held, min(count, len(held)))))
        sealed = random.choice([*self._views(), self._seal(machine, VIEW, encode(view))])
        opened = open_sealed(sealed)
        assert isinstance(opened, Sealed)
        step, attempt = self._place(machine)
        place = digest("dispute", machine.state.head, min(dispute, 2).to_bytes(4, "little"))
        signature = self._key.sign(digest("view relay", place, opened.digest))
        seats = [*range(len(machine.state.participants)), 255]
        signers = tuple(random.choice(seats) for _ in range(random.choice((0, 0, 1, 1, 2, 5))))
        signatures = tuple(random.choice((signature, bytes(64))) for _ in signers)[: random.choice((9, 9, 1))]
        relay = messages.ViewRelay(step, attempt, dispute, sealed, signers, signatures)
        return encode(relay)

    def endorsement(self, machine: PeerMachine) -> bytes:
        """The endorsement of a record that nobody made."""
        record = random_message(self._random, Record, self._known(machine))
        if self._random.random() < 0.7:
            state = machine.state
            record = replace(record, run=state.run, index=state.index, previous=state.head, step=state.step)
        raw = encode(record)
        return self._seal(machine, ENDORSE, encode(messages.Endorse(raw)) if len(raw) < 1 << 17 else raw)

    # ------------------------------------------------------------ what it knows

    def _phase(self, machine: PeerMachine) -> str:
        return self._random.choice(
            (machine.attempt.phase, machine.attempt.phase, self._random.choice(PHASES))
        )

    def _place(self, machine: PeerMachine) -> tuple[int, int]:
        step, attempt = machine.state.step, machine.state.attempt
        return self._random.choice(
            ((step, attempt),) * 5
            + ((step + 1, 0), (step, attempt + 1), (max(0, step - 1), 0), (2**40, 2**16))
        )

    def _known(self, machine: PeerMachine) -> tuple[bytes, ...]:
        """Digests and keys that mean something in the attempt."""
        attempt = machine.attempt
        said = [post.payload for post in attempt.board.posts[messages.GRADIENT].values()]
        parts = [
            part for each in said if isinstance(each, messages.GradientCommitment) for part in each.parts
        ]
        return (
            *attempt.seating.participants,
            *machine.inventory,
            *parts[:64],
            *BLOB_NAMES,
            machine.state.head,
        )

    def _views(self) -> list[bytes]:
        return [each.raw for each in self._sealed if each.envelope.phase == VIEW][:8]

    def _seal(self, machine: PeerMachine, phase: str, payload: bytes) -> bytes:
        """Sign a payload for a slot of the attempt, or, now and then, for a place that does not exist."""
        run, step, attempt, phase, roster = machine.attempt.seating.place(phase)
        if self._random.random() < 0.1:
            step, attempt = self._place(machine)
            run = self._random.choice((run, run, bytes(32)))
            roster = self._random.choice((roster, bytes(32)))
        return seal(self._key, Envelope(Digest(run), step, attempt, phase, roster, self._key.peer, payload))
