"""Places of strangers: how they are shared between addresses."""

from __future__ import annotations

import pytest

from btard.network.strangers import Strangers, block_of


class Room:
    """Strangers that say where they come from, and who had to go."""

    def __init__(self, places: int, per_block: int) -> None:
        self.evicted: list[str] = []
        self.strangers: Strangers[str] = Strangers(places, per_block, self.evicted.append)

    def enter(self, address: str, *names: str) -> list[bool]:
        return [self.strangers.enter(name, address) for name in names]


def test_an_address_gets_no_more_places_than_its_own_and_gets_them_back() -> None:
    room = Room(places=8, per_block=2)
    assert room.enter("192.0.2.1", "a", "b", "c") == [True, True, False]
    assert room.enter("192.0.2.2", "d") == [True]
    room.strangers.leave("a")
    room.strangers.leave("a")
    assert room.enter("192.0.2.1", "c") == [True]
    assert room.evicted == []
    assert len(room.strangers) == 3


def test_newcomer_gets_the_oldest_place_of_the_most_crowded_address() -> None:
    room = Room(places=4, per_block=3)
    room.enter("192.0.2.1", "a")
    room.enter("192.0.2.2", "b", "c", "d")
    assert room.enter("192.0.2.3", "e") == [True]
    assert room.evicted == ["b"]
    assert len(room.strangers) == 4


def test_newcomer_never_takes_a_place_from_an_address_with_no_more_than_its_own() -> None:
    room = Room(places=3, per_block=3)
    room.enter("192.0.2.1", "a")
    room.enter("192.0.2.2", "b", "c")
    assert room.enter("192.0.2.1", "d") == [False]
    assert room.enter("192.0.2.3", "e") == [True]
    assert room.enter("192.0.2.4", "f") == [False]
    assert room.evicted == ["b"]


def test_no_places_at_all_let_nobody_in() -> None:
    assert Room(places=0, per_block=3).enter("192.0.2.1", "a") == [False]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_a_remote_is_an_address_or_a_prefix_that_one_customer_has(one: str, other: str, same: bool) -> None:
    assert (block_of(one) == block_of(other)) is same
