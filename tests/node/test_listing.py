"""A peer's entry in the directory, which nothing waits for."""

from __future__ import annotations

from btard.network import DhtDirectory
from btard.network.libp2p import libp2p_id_text
from btard.node.listing import Listing
from btard.node.rendezvous import scope_of
from btard.run.admission import Open
from tests.network.rigs import eventually
from tests.node.entrances import BOOTSTRAP, a_run_of, key, record_of

CONFIG = a_run_of(2, Open())


def listing(noted: list[str], number: int = 2) -> Listing:
    scope = scope_of(CONFIG, BOOTSTRAP.peer)
    return Listing(key(number), scope, record_of(key(number), CONFIG), noted.append)


async def test_a_directory_that_nobody_answers_at_is_noted_and_missed_by_nobody() -> None:
    noted: list[str] = []
    made = listing(noted)
    made.start((f"/ip4/127.0.0.1/tcp/9/p2p/{libp2p_id_text(BOOTSTRAP.peer)}",), "127.0.0.1")
    await eventually(lambda: bool(noted))
    assert noted[0].startswith("this peer is not in the directory, which matters if the bootstrap goes: ")
    assert made.directory is None
    await made.close()


async def test_a_run_without_a_directory_has_no_entries() -> None:
    made = listing([])
    made.start((), "127.0.0.1")
    await made.close()
    assert made.directory is None


async def test_an_entry_is_found_until_its_peer_leaves() -> None:
    scope = scope_of(CONFIG, BOOTSTRAP.peer)
    home = await DhtDirectory.create(BOOTSTRAP, scope, host="127.0.0.1", nat=False)
    noted: list[str] = []
    made = listing(noted)
    made.start(home.addresses, "127.0.0.1")
    assert made._task is not None
    await made._task
    assert noted == []
    assert await home.members(CONFIG.digest) == {key(2).peer: made.record}
    await made.close()
    assert await home.members(CONFIG.digest) == {}
    await home.close()
