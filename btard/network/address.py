"""Addresses that peers announce: `host:port`, checked before any use."""

from __future__ import annotations

import ipaddress
import re

from btard.errors import NetworkError

ADDRESS_BYTES_MAX = 300

_HOST_BYTES_MAX = 253
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_PORT = re.compile(r"[1-9][0-9]{0,4}\Z")


def is_address(text: str) -> bool:
    """Return whether hostile text is `host:port`: an IPv4 address, an IPv6 address in brackets or a DNS name,
    and a port of 1 to 65535. Nothing else may reach gRPC, whose targets can also name files and proxies."""
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.match(port) or int(port) > 65535:
        return False
    if host.startswith("[") and host.endswith("]"):
        return _is_ip(host[1:-1], ipaddress.IPv6Address)
    labels = host.split(".")
    if labels[-1].isdigit():
        return _is_ip(host, ipaddress.IPv4Address)
    return len(host) <= _HOST_BYTES_MAX and all(_LABEL.match(label) for label in labels)


def check_address(text: str) -> str:
    """Return `text`. Raises NetworkError if it is not an address."""
    if not is_address(text):
        raise NetworkError(
            f"{text!r} is not an address: write host:port, e.g. 203.0.113.7:7070 or [2001:db8::7]:7070"
        )
    return text


def _is_ip(text: str, kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return "%" not in text  # a zone means something on one machine only
