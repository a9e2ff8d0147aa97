"""The addresses that a machine gives for itself."""

from __future__ import annotations

from btard.network.address import is_address
from btard.network.own_addresses import own_addresses


def test_a_server_on_one_address_is_reached_there_alone() -> None:
    assert own_addresses("127.0.0.1", 7070, ["192.0.2.9"]) == ("127.0.0.1:7070",)
    assert own_addresses("2001:db8::7", 7070) == ("[2001:db8::7]:7070",)


def test_a_server_on_all_addresses_is_reached_where_others_were_reached_from() -> None:
    found = own_addresses("0.0.0.0", 7070, ["192.0.2.9", "2001:db8::7", "", "192.0.2.9"])
    assert found[0] == "192.0.2.9:7070"
    assert len(set(found)) == len(found)
    assert not any(address.startswith("[") for address in found), "it does not listen there"
    both = own_addresses("::", 7070, ["fe80::1%eth0", "192.0.2.9"])
    assert both[:2] == ("[fe80::1]:7070", "192.0.2.9:7070")


def test_a_machine_always_has_an_address() -> None:
    assert all(map(is_address, own_addresses("0.0.0.0", 7070)))
    assert own_addresses("0.0.0.0", 7070)
