"""A peer's door: who may send to it, and what newcomers are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from btard.ledger.header import LedgerHeader
from btard.network.entrance import Answer
from btard.node.node import Node
from btard.types import Bytes, Digest, Fault, PeerId
from btard.wire import encode


@dataclass(slots=True)
class Door:
    """The transport's inbox. It lets nobody in until there is a node, then those whom the node allows.
    Newcomers get the bootstrap's signed `introduction`, and the roster once it is known."""

    introduction: bytes | None = None
    node: Node | None = None
    _answer: bytes | None = None

    def begin(self, header: LedgerHeader, sealed_records: Iterable[bytes]) -> None:
        """Tell newcomers the first roster from now on, with the records of its members as they signed
        them."""
        if self.introduction is not None:
            answer = Answer("told", self.introduction, header.to_bytes(), tuple(sealed_records))
            self._answer = encode(answer)

    def introduce(self) -> bytes | None:
        """Return what a newcomer is told (`entrance.Answer`), or None for nothing."""
        if self._answer is None and self.introduction is not None:
            self._answer = encode(Answer("told", self.introduction))
        return self._answer

    def allows(self, peer: PeerId) -> bool:
        """Return whether this peer may send now."""
        return self.node is not None and self.node.allows(peer)

    def control(self, sender: PeerId, raw: bytes) -> None:
        """Pass on a control message."""
        if self.node is not None:
            self.node.control(sender, raw)

    def wants(self, sender: PeerId, digest: Digest, size: int) -> bool:
        """Ask the node."""
        return self.node is not None and self.node.wants(sender, digest, size)

    def blob(self, sender: PeerId, digest: Digest, data: Bytes) -> None:
        """Pass on a blob."""
        if self.node is not None:
            self.node.blob(sender, digest, data)

    def fault(self, fault: Fault) -> None:
        """Pass on a fault; before there is a node nobody can have committed one that counts."""
        if self.node is not None:
            self.node.fault(fault)
