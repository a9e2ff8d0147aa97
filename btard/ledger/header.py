"""What a ledger begins with: the run, and the roster that it began with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from btard.crypto import Identity, digest, verify
from btard.errors import LedgerError
from btard.protocol.state import RosterState
from btard.run.config import RunConfig
from btard.types import Digest, PeerId
from btard.wire import MAX_PEERS, MaxLen, MaxSize, Rejection, Size, decode, encode, message

CONFIGURATION_BYTES_MAX = 2**18


def genesis_statement(run: Digest, members: tuple[PeerId, ...]) -> Digest:
    """What a bootstrap signs, so that a ledger can prove whose run it is."""
    return digest("ledger genesis", run, *members)


@message("ledger")
@dataclass(frozen=True, slots=True)
class LedgerHeader:
    """`configuration` are the canonical bytes of a `RunConfig`, whose digest is the run id; the protocol's
    constants are part of it. `members` is the first roster, sorted. `bootstrap` vouches for both with
    `signature` over `genesis_statement`; both are None in a run without one.

    The run id is in every signed message, and the roster in what the first of them hold, so neither can
    be exchanged for another beneath a ledger's records."""

    configuration: Annotated[bytes, MaxSize(CONFIGURATION_BYTES_MAX)]
    members: Annotated[tuple[PeerId, ...], MaxLen(MAX_PEERS)]
    bootstrap: PeerId | None = None
    signature: Annotated[bytes, Size(64)] | None = None

    @classmethod
    def of(
        cls, config: RunConfig, members: tuple[PeerId, ...], bootstrap: Identity | None = None
    ) -> LedgerHeader:
        """Return the header of a run; `bootstrap` signs it, if given."""
        header = cls(config.to_bytes(), tuple(sorted(members)))
        if bootstrap is None:
            return header
        signature = bootstrap.sign(genesis_statement(config.digest, header.members))
        return replace(header, bootstrap=bootstrap.peer, signature=signature)

    @classmethod
    def from_bytes(cls, raw: bytes) -> LedgerHeader:
        """Read what `to_bytes` wrote. Raises LedgerError on anything else."""
        header: LedgerHeader | Rejection = decode(cls, raw)
        if isinstance(header, Rejection):
            raise _wrong(header.detail or header.reason.value)
        return header

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(self)

    def open(self) -> tuple[RunConfig, RosterState]:
        """Return the run, and the state before its first record. Raises LedgerError if the header contradicts
        itself, ConfigurationError if the run is of another version."""
        config = RunConfig.from_bytes(self.configuration)
        if list(self.members) != sorted(set(self.members)) or len(self.members) != config.peers:
            raise _wrong(f"it needs a roster of {config.peers} different peers")
        if self.bootstrap is None or self.signature is None:
            if self.bootstrap != self.signature:
                raise _wrong("a bootstrap and its signature go together")
        elif not verify(self.bootstrap, genesis_statement(config.digest, self.members), self.signature):
            raise _wrong("its bootstrap did not sign it")
        return config, RosterState.genesis(config.digest, config.protocol, self.members, config.steps)


def _wrong(why: str) -> LedgerError:
    return LedgerError(f"the header of the ledger does not hold: {why}")
