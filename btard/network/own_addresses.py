"""The addresses of this machine by which others may reach it, as far as it can know."""

from __future__ import annotations

import socket
from collections.abc import Iterable

_ELSEWHERE = "192.0.2.1"
"""An address of nobody (RFC 5737): connecting a datagram socket to it sends nothing."""


def own_hosts(host: str, seen: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the hosts at which a server that listens on `host` can be reached, the best first. For all
    addresses (0.0.0.0, ::) those are `seen`, from which others were reached, and that of the default
    route."""
    if host not in ("0.0.0.0", "::"):
        return (host,)
    found = [each.partition("%")[0] for each in seen if each and (host == "::" or ":" not in each)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_ELSEWHERE, 9))
            found.append(str(probe.getsockname()[0]))
        except OSError:  # no route leads out of this machine
            pass
    return tuple(dict.fromkeys(found or ["127.0.0.1"]))


def own_addresses(host: str, port: int, seen: Iterable[str] = ()) -> tuple[str, ...]:
    """Return `own_hosts` as host:port."""
    return tuple(f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in own_hosts(host, seen))
