"""The line by which others join: where a server of the run is, its key, and the bootstrap's key."""

from __future__ import annotations

import re
from dataclasses import dataclass

from btard.errors import NetworkError
from btard.network.address import ADDRESS_BYTES_MAX, check_address, is_address
from btard.types import PeerId

_LINE = re.compile(r"(?P<address>[^/\s]{3,300})/(?P<server>[0-9a-f]{64})(?:/(?P<bootstrap>[0-9a-f]{64}))?\Z")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class JoinLine:
    """HOST:PORT/KEY, of the bootstrap with that key; or HOST:PORT/KEY/BOOTSTRAP, of a member with the first
    key, of a run that the bootstrap with the second one has announced."""

    address: str
    server: PeerId
    bootstrap: PeerId

    @classmethod
    def parse(cls, text: str) -> JoinLine:
        """Read a join line. Raises NetworkError for anything else."""
        found = _LINE.match(text) if len(text) <= ADDRESS_BYTES_MAX + 130 else None
        if found is None or not is_address(found["address"]):
            raise NetworkError(
                f"{text[:_SHOWN]!r} is not an address to join by: paste the whole line that the bootstrap "
                "prints, HOST:PORT/KEY"
            )
        server = PeerId(bytes.fromhex(found["server"]))
        bootstrap = server if found["bootstrap"] is None else PeerId(bytes.fromhex(found["bootstrap"]))
        return cls(found["address"], server, bootstrap)

    def __str__(self) -> str:
        keys = [self.server.hex(), *([self.bootstrap.hex()] if self.bootstrap != self.server else [])]
        return "/".join((check_address(self.address), *keys))
