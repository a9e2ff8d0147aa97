"""How a peer gets into a run: it is told the run, takes a seat, waits for the roster.

All by calls to the server of its join line, and to the entrances that the bootstrap has signed. If none
answers, the directory and other members may still know the roster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from btard.crypto import Identity
from btard.errors import BtardError, ConfigurationError, HaltedError, NetworkError, RunMismatchError
from btard.network import Directory, PeerRecord, seal_record
from btard.network.entrance import Answer, Introduction, Knock, Refusal, open_introduction
from btard.network.entrance_call import (
    EntranceCall,
    NobodyAnswersError,
    Place,
    WrongServerError,
    call_entrance,
)
from btard.network.join import JoinLine
from btard.network.limits import Limits
from btard.node.rendezvous import BEGUN_WITHOUT, Roster, look_up_roster, open_genesis, open_records
from btard.run.config import RunConfig, RunPlan
from btard.types import PeerId

POLL_FIRST_S = 0.5
POLL_MAX_S = 10.0
MEMBERS_ASKED_MAX = 8
"""Members of whom the roster is asked in one round, if the bootstrap does not answer."""

REFUSED: dict[Refusal, tuple[type[BtardError], str]] = {
    Refusal.NOT_LISTED: (
        HaltedError,
        "this peer's key {me} is not on the run's list: ask its bootstrap to allow it",
    ),
    Refusal.UNINVITED: (HaltedError, "the run takes invited peers only: give your invitation with --invite"),
    Refusal.FALSE_INVITATION: (HaltedError, "the invitation is not of this run: ask its bootstrap for one"),
    Refusal.USED_INVITATION: (
        HaltedError,
        "the invitation is another key's already: ask for one of your own",
    ),
    Refusal.EXPIRED_INVITATION: (HaltedError, "the invitation has expired: ask for a new one"),
    Refusal.BEGUN: (HaltedError, BEGUN_WITHOUT),
    Refusal.ANOTHER_RUN: (RunMismatchError, "the bootstrap has begun another run meanwhile: join once more"),
    Refusal.BAD_RECORD: (
        RunMismatchError,
        "the bootstrap cannot read this peer's addresses: use its version of btard",
    ),
}
"""Final: to ask again is of no use."""

WAITING = {
    Refusal.FULL: "all seats are taken",
    Refusal.ADDRESS_FULL: "this address has as many seats as one address gets in this run",
}
"""May change while the run is forming."""


class _LateError(Exception):
    """The seat was held for as long as this peer waits, and the run has not begun."""


class _Patience:
    """Rounds of trying until a deadline, with growing pauses."""

    def __init__(self, wait_s: float) -> None:
        self.deadline = asyncio.get_running_loop().time() + wait_s
        self.over = wait_s <= 0
        self._pause_s = POLL_FIRST_S

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    async def pause(self) -> None:
        """Wait for the next round; the one at the deadline is the last, and then this is `over`."""
        await asyncio.sleep(min(self._pause_s, self.left_s))
        self._pause_s = min(2 * self._pause_s, POLL_MAX_S)
        self.over = self.left_s == 0.0


@dataclass(slots=True)
class Arrival:
    """A newcomer on its way in. `note` gets sentences for people; `entropy(n)` returns n random bytes.
    `wait_s` bounds the wait for an answer, and then that for the roster."""

    join: JoinLine
    identity: Identity
    wait_s: float
    note: Callable[[str], None]
    entropy: Callable[[int], bytes]
    limits: Limits = field(default_factory=Limits)
    local: str = ""
    """The address of this machine from which it has reached the server, once it has."""
    introduction: Introduction | None = None
    told: bytes | None = None
    """The introduction as it was signed, to pass on."""
    sealed: tuple[bytes, ...] = ()
    """The records of the roster as they were signed, to pass on; none if the directory told the roster."""
    _noted: set[Refusal] = field(default_factory=set)
    _certificates: dict[tuple[str, PeerId], bytes] = field(default_factory=dict)
    """Of servers that have proven their key with it: a certificate is a function of the key."""

    # ------------------------------------------------------------ the run

    async def find_run(self, expected: RunPlan | None) -> RunConfig:
        """Return the run that the bootstrap has announced, if this peer can still get a seat in it.

        Raises NetworkError if nobody answers within `wait_s`, RunMismatchError if it is of another plan than
        expected, ConfigurationError if it cannot be read, HaltedError if it has begun without this peer."""
        place, patience = Place(self.join.address, self.join.server), _Patience(self.wait_s)
        while True:
            try:
                answer = await self._ask(place)
                break
            except NobodyAnswersError:
                if patience.over:
                    raise
            await patience.pause()
        config = self._introduced(answer)
        if expected is not None and (differing := expected.differences(config)):
            raise RunMismatchError(
                f"the run has another configuration: {'; '.join(differing)}; use the run's values to join"
            )
        if answer.genesis is not None:
            open_genesis(answer.genesis, self.join.bootstrap, config, self.identity.peer)
        return config

    def _introduced(self, answer: Answer) -> RunConfig:
        introduction = None if answer.introduction is None else open_introduction(answer.introduction)
        if answer.word != "told" or introduction is None or introduction.bootstrap != self.join.bootstrap:
            raise WrongServerError(self.join.address, "tells no run that the bootstrap has signed")
        self.introduction, self.told = introduction, answer.introduction
        return RunConfig.from_bytes(introduction.configuration)

    async def _ask(self, place: Place) -> Answer:
        """Return what a server says of the run."""
        async with self._call(place) as call:
            self.local = self.local or call.local
            self._certificates[place.address, place.server] = call.certificate
            await call.knock(Knock(self.identity.peer))
            return await call.prompt_answer()

    # ------------------------------------------------------------ a seat

    async def take_seat(
        self,
        config: RunConfig,
        record: PeerRecord,
        invitation: str | None,
        seated: Callable[[], None],
        directory: Callable[[], Directory | None],
    ) -> Roster:
        """Take a seat, hold it, and return the first roster. `seated` is called when the seat is given;
        `directory()` is where to look if no entrance answers, None if there is none.

        Raises HaltedError if there is no seat for this peer, NetworkError if the run does not begin within
        `wait_s`."""
        knock = Knock(self.identity.peer, config.digest, seal_record(self.identity, record), invitation)
        patience = _Patience(self.wait_s)
        while True:
            trouble: NetworkError | None = None
            try:
                answer = await self._hold_seat(knock, seated, patience)
                if isinstance(answer, Answer):
                    return self._roster(answer, config)
                trouble = NetworkError(f"{WAITING[answer]}, and none became free in time: try again later")
                self._note_once(answer)
            except NobodyAnswersError as error:
                trouble = error
                found = await self._ask_others(config, directory())
                if found is not None:
                    return found
            except _LateError:
                raise NetworkError(
                    f"the run has not begun within {self.wait_s:.0f} s: "
                    f"it waits for {config.peers} peers to join"
                ) from None
            if patience.over:
                raise trouble
            await patience.pause()

    async def _hold_seat(
        self, knock: Knock, seated: Callable[[], None], patience: _Patience
    ) -> Answer | Refusal:
        """Hold a seat at one of the bootstrap's entrances until the roster comes, or return why there is none
        now. Raises NobodyAnswersError if no entrance answers, or the one that did has gone."""
        assert self.introduction is not None
        trouble: NetworkError | None = None
        for address in dict.fromkeys((*self._own_entrance(), *self.introduction.entrances)):
            try:
                known = self._certificates.get((address, self.join.bootstrap))
                async with self._call(Place(address, self.join.bootstrap, known)) as call:
                    await call.knock(knock)
                    return await self._follow(call, seated, patience)
            except NetworkError as error:  # of another machine with that address, too
                trouble = trouble or error
        raise trouble or NobodyAnswersError(self.join.address)

    async def _follow(
        self, call: EntranceCall, seated: Callable[[], None], patience: _Patience
    ) -> Answer | Refusal:
        answer = await call.prompt_answer()
        while True:
            match answer:
                case Answer("seated"):
                    seated()
                case Answer("ready"):
                    await call.ready()
                case Answer("begun"):
                    return answer
                case Answer("refused", refusal=Refusal() as why) if why in REFUSED:
                    kind, text = REFUSED[why]
                    raise kind(text.format(me=self.identity.peer.hex()))
                case Answer("refused", refusal=Refusal() as why):
                    return why
                case _:
                    raise WrongServerError(self.join.address, "gives answers that make no sense here")
            try:
                answer = await call.answer(patience.left_s)
            except asyncio.TimeoutError:
                raise _LateError from None

    def _roster(self, answer: Answer, config: RunConfig) -> Roster:
        header = open_genesis(answer.genesis or b"", self.join.bootstrap, config, self.identity.peer)
        self.sealed = answer.records
        return header, open_records(answer.records, header, config.digest)

    def _note_once(self, why: Refusal) -> None:
        if why not in self._noted:
            self._noted.add(why)
            self.note(f"{WAITING[why]}: waiting until one becomes free, or the run begins")

    # ------------------------------------------------------------ without the bootstrap

    async def _ask_others(self, config: RunConfig, directory: Directory | None) -> Roster | None:
        """Look for the roster in the directory, and ask members for it."""
        places = [] if self._own_entrance() else [Place(self.join.address, self.join.server)]
        members: dict[PeerId, PeerRecord] = {}
        if directory is not None:
            try:
                found = await look_up_roster(directory, self.join.bootstrap, config)
                if found is not None:
                    return found
                members = await directory.members(config.digest)
            except NetworkError:
                pass
            others = [each for each in members.values() if each.addresses and each.certificate]
            chosen = random.Random(self.entropy(8)).sample(others, min(len(others), MEMBERS_ASKED_MAX))
            places += [Place(each.addresses[0], each.peer, each.certificate) for each in chosen]
        for place in places:
            try:
                answer = await self._ask(place)
            except NetworkError:
                continue
            if answer.genesis is None:
                continue
            try:
                header, records = self._roster(answer, config)
            except ConfigurationError:
                continue  # nonsense: another one may know better
            listed = {peer: members[peer] for peer in header.members if peer in members}
            if 2 * len(listed | records) > len(header.members):
                return header, listed | records
        return None

    def _own_entrance(self) -> tuple[str, ...]:
        """The join line's address, if it is the bootstrap's."""
        return (self.join.address,) if self.join.server == self.join.bootstrap else ()

    def _call(self, place: Place) -> AbstractAsyncContextManager[EntranceCall]:
        return call_entrance(place, self.identity, self.limits, self.entropy)
