"""The bootstrap's entrance: tells newcomers the run, gives seats, fixes the first roster.

A seat lasts as long as the stream on which it was given: a peer that leaves, or dies, frees it. When all are
taken, each peer is asked whether it is still there; then the roster is signed and told to all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from btard.crypto import Identity
from btard.ledger.header import LedgerHeader
from btard.network.certificate import Certificate
from btard.network.counters import Counters
from btard.network.deadline import within
from btard.network.entrance import METHOD, READY, Answer, Introduction, Knock, Refusal, seal_introduction
from btard.network.grpc_gate import Connection
from btard.network.grpc_server import Context, Ended, GatedServer, Misbehaved, read
from btard.network.limits import KIB, Limits
from btard.network.reception import Reception
from btard.network.record import PeerRecord, open_record
from btard.network.strangers import block_of
from btard.node.seats import Seats
from btard.run.config import RunConfig
from btard.types import Fault, FaultKind, PeerId
from btard.wire import encode

LIMITS = Limits(hello_bytes_max=24 * KIB, strangers_max=192, strangers_per_address=96)
"""At an entrance a stranger's bytes hold its record. Whole swarms may come from one address at once, with
three connections a peer; nobody there works on a step, and nothing depends on the loop being quick."""

READY_S = 5.0
"""How long a peer may take to say that it is still there. One that does not loses its seat."""

SETTLE_S = 0.2
"""Between two looks at the seats: somebody who comes and goes all the time makes so many lines at most."""

FAREWELL_S = 10.0
"""How long a stream stays open after its last answer, for the newcomer to read it."""


@dataclass(eq=False, slots=True)
class _Guest:
    """A peer with a seat, on its stream."""

    record: bytes
    context: Context
    task: asyncio.Task[None]
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    asked: bool = False


class Gathering:
    """An entrance of `config`'s run. `wall()` is the wall clock, by which invitations expire; `seen` gets the
    number of seats taken when it changes. `begun` is for a run that was broken off: the roster that was
    signed for it, which is told again, and who of it holds a seat still. Nobody else is let in."""

    def __init__(
        self,
        identity: Identity,
        config: RunConfig,
        *,
        entropy: Callable[[int], bytes],
        wall: Callable[[], float],
        seen: Callable[[int], None] = lambda _: None,
        limits: Limits = LIMITS,
        begun: tuple[LedgerHeader, tuple[PeerId, ...]] | None = None,
    ) -> None:
        self.config = config
        self._begun_before = begun
        self._expected = config.peers if begun is None else len(begun[1])
        self.counters = Counters()
        self.faults: int = 0
        """Faults of strangers and newcomers, counted."""
        self._identity = identity
        self._seats = Seats(config, identity.peer)
        self._wall = wall
        self._seen = seen
        self._limits = limits
        self._introduction: bytes | None = None
        self._guests: dict[PeerId, _Guest] = {}
        self._changed = asyncio.Event()
        self._header: LedgerHeader | None = None
        self._records: dict[PeerId, bytes] = {}
        self._begun = asyncio.Event()
        certificate = Certificate.from_seed(identity.seed)
        self._reception = Reception(identity, certificate, entropy)
        self._server = GatedServer(certificate, limits, self.counters, self._fault)

    async def open(self, host: str, port: int) -> int:
        """Listen, and return the port; nobody is answered before `introduce`. Raises NetworkError."""
        return await self._server.start({METHOD: self._enter}, self._limits.hello_bytes_max, host, port)

    def introduce(self, entrances: tuple[str, ...], directory: tuple[str, ...]) -> bytes:
        """Answer newcomers from now on: this entrance has these addresses, the directory's first node those.
        Return the signed introduction."""
        said = Introduction(self._identity.peer, self.config.to_bytes(), entrances, directory)
        self._introduction = seal_introduction(self._identity, said)
        return self._introduction

    async def close(self) -> None:
        """Close every stream and the port."""
        await self._server.stop()

    async def form(self) -> LedgerHeader:
        """Wait until all seats are taken by peers that are there, and return the signed first roster."""
        told = 0
        while self._header is None:
            self._changed.clear()
            if len(self._guests) != told:
                told = len(self._guests)
                self._seen(told)
            if len(self._guests) == self._expected and await self._all_ready():
                self._begin()
            else:
                await self._changed.wait()
                await asyncio.sleep(SETTLE_S)
        return self._header

    # ------------------------------------------------------------ fixing the roster

    async def _all_ready(self) -> bool:
        """Ask every guest whether it is there. One that does not answer is shown out."""
        guests = dict(self._guests)
        answers = await asyncio.gather(*map(self._is_ready, guests.values()))
        for guest, answer in zip(guests.values(), answers, strict=True):
            if not answer:
                guest.task.cancel()
        return all(answers) and guests == self._guests

    async def _is_ready(self, guest: _Guest) -> bool:
        guest.answered.clear()
        guest.asked = True
        try:
            await guest.context.write(encode(Answer("ready")))
            await within(READY_S, guest.answered.wait())
        except Exception:  # gRPC raises anything for a stream that is gone
            return False
        return True

    def _begin(self) -> None:
        self._records = {peer: guest.record for peer, guest in self._guests.items()}
        if self._begun_before is None:
            self._header = LedgerHeader.of(self.config, tuple(self._guests), self._identity)
        else:  # never two rosters of one run
            self._header = self._begun_before[0]
        self._begun.set()

    def _roster(self, word: str) -> bytes:
        assert self._header is not None
        introduction = self._introduction if word == "told" else None
        members = tuple(self._records[peer] for peer in self._header.members if peer in self._records)
        return encode(
            Answer("begun" if word == "begun" else "told", introduction, self._header.to_bytes(), members)
        )

    # ------------------------------------------------------------ newcomers

    async def _enter(self, context: Context, connection: Connection) -> None:
        knock = await self._reception.receive(context)
        if self._introduction is None:
            return
        if knock.run is None:
            told = (
                encode(Answer("told", self._introduction)) if self._header is None else self._roster("told")
            )
            await self._bid_farewell(context, told)
            return
        refusal = self._ask(knock, connection)
        if refusal is not None:
            await self._bid_farewell(context, encode(Answer("refused", refusal=refusal)))
        elif self._header is None:
            await self._seat(knock, context, connection)
        else:
            await self._bid_farewell(context, self._roster("begun"))

    def _ask(self, knock: Knock, connection: Connection) -> Refusal | None:
        """Give a newcomer a seat, or return why not; a member of a run that has begun has one."""
        record = open_record(knock.record or b"")
        if knock.run != self.config.digest:
            return Refusal.ANOTHER_RUN
        if not isinstance(record, PeerRecord) or (record.run, record.peer) != (knock.run, knock.peer):
            return Refusal.BAD_RECORD
        if self._begun_before is not None and knock.peer not in self._begun_before[1]:
            return Refusal.BEGUN
        if self._header is None and self._begun_before is not None:
            return None
        if self._header is None:
            return self._seats.ask(knock.peer, block_of(connection.address), knock.invitation, self._wall())
        if knock.peer not in self._header.members:
            return Refusal.BEGUN
        older = open_record(self._records.get(knock.peer, b""))
        is_newer = not isinstance(older, PeerRecord) or record.sequence > older.sequence
        if is_newer and knock.record is not None:
            self._records[knock.peer] = knock.record
        return None

    async def _seat(self, knock: Knock, context: Context, connection: Connection) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert knock.record is not None
        guest = _Guest(knock.record, context, task)
        begun = asyncio.ensure_future(self._begun.wait())
        listening: asyncio.Future[None] | None = None
        try:
            await context.write(encode(Answer("seated")))
            connection.prove()
            older, self._guests[knock.peer] = self._guests.get(knock.peer), guest
            self._changed.set()
            if older is not None:
                older.task.cancel()  # its process has come again before the end of its old stream was noticed
            listening = asyncio.ensure_future(self._listen(guest, knock.peer))
            await asyncio.wait({begun, listening}, return_when=asyncio.FIRST_COMPLETED)
            if not begun.done():
                listening.result()
            elif self._header is not None and self._guests.get(knock.peer) is guest:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                await self._bid_farewell(context, self._roster("begun"))
        finally:
            begun.cancel()
            if listening is not None:
                listening.cancel()
            if self._guests.get(knock.peer, guest) is guest:
                self._guests.pop(knock.peer, None)
                self._seats.leave(knock.peer)
                self._changed.set()

    async def _listen(self, guest: _Guest, peer: PeerId) -> None:
        """Hear a guest: it says READY once each time that it is asked, and nothing else."""
        while True:
            said = await read(guest.context)
            if said != READY or not guest.asked:
                raise Misbehaved(
                    peer, FaultKind.FLOOD, "said something at the entrance that it was not asked"
                )
            guest.asked = False
            guest.answered.set()

    async def _bid_farewell(self, context: Context, last: bytes) -> None:
        """Say the last word, and wait for the newcomer to hang up."""
        await context.write(last)
        with contextlib.suppress(Ended, asyncio.TimeoutError):
            await within(FAREWELL_S, read(context))

    def _fault(self, _: Fault) -> None:
        self.faults += 1
