"""The vote log: whatever happens to its process or its file, a key speaks once in each attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import Identity, digest
from btard.errors import LedgerError
from btard.machine import Send
from btard.network import MemoryHub, MemoryTransport
from btard.node.votes import NOWHERE, SLOT_BYTES, Place, VoteLog, votes_path
from btard.protocol.messages import AGGREGATE, GRADIENT, VIEW, Need, ViewRelay
from btard.protocol.outputs import FINISHED, Ended
from btard.protocol.record import BAN, MISS
from btard.swarm.spec import SwarmSpec
from btard.types import PeerId
from btard.wire import Envelope, Sealed, encode, open_sealed, seal
from tests.ledger.runs import disk_of
from tests.node.nodes import Nodes, a_plan, virtually

RUN, OTHER_RUN = digest("run", b"one"), digest("run", b"other")
ME, OTHER = (Identity.from_seed(bytes([k]) * 32) for k in (1, 2))

places = st.tuples(st.integers(0, 2**40), st.integers(0, 2**16))


@contextmanager
def opened(path: Path) -> Iterator[VoteLog]:
    with closing(VoteLog(path, RUN, ME.peer)) as log:
        yield log


def message(place: Place, who: Identity = ME, phase: str = GRADIENT) -> Send:
    envelope = Envelope(RUN, *place, phase, bytes(32), who.peer, b"said")
    return Send((OTHER.peer,), seal(who, envelope))


def view(place: Place, who: Identity = ME) -> Send:
    return Send((OTHER.peer,), encode(ViewRelay(*place, 0, message(place, who, VIEW).raw, (), ())))


def speak(path: Path, *at: Place) -> list[bool]:
    """A process that signs a message in each of these attempts, and dies: which of them left."""
    with opened(path) as log:
        return [bool(log.permit([message(place)], place)) for place in at]


# ---------------------------------------------------------------- processes


def test_a_process_speaks_as_often_as_it_likes_and_its_successor_only_in_later_attempts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "votes"
    assert speak(path, (0, 0), (0, 0), (0, 1), (3, 0)) == [True] * 4
    assert speak(path, (0, 0), (3, 0), (3, 1), (4, 0)) == [False, False, True, True]
    assert speak(path, (4, 0), (4, 1)) == [False, True]


@given(st.lists(st.lists(places, max_size=4).map(sorted), min_size=1, max_size=4))
def test_no_two_processes_speak_in_one_attempt(lives: list[list[Place]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "votes"
        spoken = [{place for place, left in zip(at, speak(path, *at), strict=True) if left} for at in lives]
    assert sum(map(len, spoken)) == len(set().union(*spoken))


def test_a_successor_keeps_back_what_it_signed_itself_and_passes_on_all_else(tmp_path: Path) -> None:
    speak(tmp_path / "votes", (2, 0))
    passed = [
        message((2, 0), OTHER),
        Send((OTHER.peer,), encode(Need(2, 0, GRADIENT, (0,)))),
        Send((OTHER.peer,), b"no message at all"),
        message((2, 1)),
        view((2, 1)),
    ]
    kept_back = [message((1, 7)), message((2, 0)), message((2, 0), ME, "endorse"), view((2, 0))]
    with opened(tmp_path / "votes") as log:
        assert log.permit([*kept_back, *passed], (2, 1)) == passed


def test_runs_and_keys_have_logs_of_their_own(tmp_path: Path) -> None:
    key = tmp_path / "peer.key"
    assert len({votes_path(key, RUN), votes_path(key, OTHER_RUN), votes_path(tmp_path / "b.key", RUN)}) == 3
    path = votes_path(key, RUN)
    speak(path, (1, 0))
    for run, who in ((OTHER_RUN, ME.peer), (RUN, OTHER.peer)):
        with pytest.raises(LedgerError, match="join this run with another --key"):
            VoteLog(path, run, who)


# ---------------------------------------------------------------- the file


@given(places, places, st.integers(0, 64))
def test_a_write_that_is_cut_off_at_any_byte_forgets_no_message_that_left(
    first: Place, second: Place, cut: int
) -> None:
    """The process dies inside the write: of the message that it was for, nothing has left."""
    first, second = sorted((first, second))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "votes"
        speak(path, first)
        before = path.read_bytes()
        speak(path, second)
        after = path.read_bytes()
        for slot in (0, SLOT_BYTES):
            torn = after[: slot + cut] + before[slot + cut :] if slot else after[:cut] + before[cut:]
            path.write_bytes(torn)
            with opened(path) as log:
                assert log.before in (first, second)


@given(st.integers(0, 2 * SLOT_BYTES))
def test_a_file_that_was_never_made_to_its_end_is_made_again(cut: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "votes"
        with opened(path):
            path.rename(path.with_suffix(".part"))
        path.with_suffix(".part").write_bytes(path.with_suffix(".part").read_bytes()[:cut])
        with opened(path) as log:
            assert log.before == NOWHERE


@pytest.mark.parametrize("noise", [b"", b"\xff" * 100, bytes(2 * SLOT_BYTES)], ids=len)
def test_a_file_that_holds_nothing_whole_is_refused_in_one_sentence(tmp_path: Path, noise: bytes) -> None:
    (tmp_path / "votes").write_bytes(noise)
    with pytest.raises(LedgerError, match=r"^the vote log \S+ is corrupt: join this run with another --key$"):
        VoteLog(tmp_path / "votes", RUN, ME.peer)


@given(st.integers(0, 2 * SLOT_BYTES - 1), st.integers(1, 255))
def test_one_changed_byte_loses_at_most_the_slot_that_it_is_in(place: int, flip: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "votes"
        speak(path, (1, 0), (2, 0))
        content = bytearray(path.read_bytes())
        content[place] ^= flip
        path.write_bytes(content)
        with opened(path) as log:
            assert log.before in ((1, 0), (2, 0))


def test_the_file_keeps_its_size(tmp_path: Path) -> None:
    speak(tmp_path / "votes", *((step, 0) for step in range(50)))
    assert (tmp_path / "votes").stat().st_size == 2 * SLOT_BYTES
    assert [each.name for each in tmp_path.iterdir()] == ["votes"]


def test_nothing_leaves_if_the_log_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "votes"
    with opened(path) as log:
        log.permit([message((0, 0))], (0, 0))
        with disk_of(0), pytest.raises(LedgerError, match="cannot write"):
            log.permit([message((1, 0))], (1, 0))
    with pytest.raises(LedgerError, match="cannot write"):
        VoteLog(tmp_path / "no" / "folder" / "votes", RUN, ME.peer)


# ---------------------------------------------------------------- a peer that is started again

VICTIM = 3


class Mortal(MemoryTransport):
    """Tells when its peer says something in AGGREGATE, which nobody hears: then all have its gradient."""

    def __init__(self, hub: MemoryHub, me: PeerId) -> None:
        super().__init__(hub, me)
        self.dies = asyncio.get_running_loop().create_future()

    def send(self, to: PeerId, raw: bytes) -> None:
        sealed = open_sealed(raw)
        if isinstance(sealed, Sealed) and (sealed.envelope.sender, sealed.envelope.phase) == (
            self.me,
            AGGREGATE,
        ):
            if not self.dies.done():
                self.dies.set_result(None)
        else:
            super().send(to, raw)


async def killed_and_started_again(open_log: Callable[[], VoteLog | None]) -> tuple[Nodes, Ended]:
    """A swarm in which one peer dies in its first attempt, and comes back with other entropy."""
    nodes = Nodes(SwarmSpec(a_plan(4, steps=4)))
    me = nodes.spec.peers[VICTIM]
    mortal = Mortal(nodes.hub, me)
    nodes.nodes[VICTIM] = nodes.make(VICTIM, bytes(32), mortal, open_log())
    lives = [asyncio.ensure_future(nodes.start(index)) for index in range(4)]
    try:
        await mortal.dies
        lives[VICTIM].cancel()
        nodes.nodes[VICTIM].halt()
        await mortal.stop()
        nodes.nodes[VICTIM] = nodes.make(VICTIM, b"\xff" * 32, MemoryTransport(nodes.hub, me), open_log())
        lives[VICTIM] = asyncio.ensure_future(nodes.start(VICTIM))
        await asyncio.gather(*lives[:VICTIM])
        return nodes, await lives[VICTIM]
    finally:
        for life, node in zip(lives, nodes.nodes, strict=True):
            life.cancel()
            node.halt()
            await node.transport.stop()


def removals(nodes: Nodes, index: int = 0) -> list[tuple[int, PeerId, str]]:
    records = [progress.entry.record for progress in nodes.progress[index]]
    return [(record.step, PeerId(r.peer), r.kind) for record in records for r in record.removals]


@virtually
async def test_a_peer_that_dies_in_an_attempt_and_comes_back_misses_a_step_and_goes_on(
    tmp_path: Path,
) -> None:
    spec = SwarmSpec(a_plan(4, steps=4))
    with ExitStack() as logs:

        def open_log() -> VoteLog:
            log = VoteLog(tmp_path / "votes", spec.config.digest, spec.peers[VICTIM])
            return logs.enter_context(closing(log))

        nodes, ended = await killed_and_started_again(open_log)
    assert removals(nodes) == removals(nodes, VICTIM) == [(0, nodes.spec.peers[VICTIM], MISS)]
    assert ended.reason == FINISHED


@virtually
async def test_without_a_log_it_would_be_banned() -> None:
    nodes, _ = await killed_and_started_again(lambda: None)
    assert removals(nodes) == [(0, nodes.spec.peers[VICTIM], BAN)]
