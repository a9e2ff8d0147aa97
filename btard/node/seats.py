"""Who gets a seat of the first roster, decided by the run's admission. Pure: time is an argument."""

from __future__ import annotations

from collections import Counter

from btard.network.entrance import Refusal
from btard.run.admission import Allow, Invite, Open
from btard.run.config import RunConfig
from btard.run.invitation import Invitation
from btard.types import PeerId


class Seats:
    """The seats of a run that is forming. What it keeps is bounded: a block of addresses for each seat, and
    an owner for each invitation that the bootstrap itself has signed."""

    def __init__(self, config: RunConfig, bootstrap: PeerId) -> None:
        self._config = config
        self._run = config.digest
        self._bootstrap = bootstrap
        self._blocks: dict[PeerId, str] = {}
        self._owners: dict[bytes, PeerId] = {}

    @property
    def taken(self) -> tuple[PeerId, ...]:
        """The peers that have a seat now."""
        return tuple(self._blocks)

    def ask(self, peer: PeerId, block: str, token: str | None, now_s: float) -> Refusal | None:
        """Give `peer` a seat, or return why not. `block` is what counts as its address, `now_s` the wall
        clock. A peer that has a seat keeps it."""
        refusal = self._admit(peer, block, token, now_s)
        if refusal is None and peer not in self._blocks and len(self._blocks) >= self._config.peers:
            refusal = Refusal.FULL
        if refusal is None:
            self._blocks[peer] = block
        return refusal

    def leave(self, peer: PeerId) -> None:
        """Free the seat of a peer, if it has one. Its invitation remains its own."""
        self._blocks.pop(peer, None)

    def _admit(self, peer: PeerId, block: str, token: str | None, now_s: float) -> Refusal | None:
        match self._config.admission:
            case Open(per_address=most):
                others = Counter(each for other, each in self._blocks.items() if other != peer)
                return Refusal.ADDRESS_FULL if others[block] >= most else None
            case Allow(peers=listed):
                return None if peer.hex() in listed else Refusal.NOT_LISTED
            case Invite():
                return self._invited(peer, token, now_s)

    def _invited(self, peer: PeerId, token: str | None, now_s: float) -> Refusal | None:
        if token is None:
            return Refusal.UNINVITED
        invitation = Invitation.parse(token)
        if invitation is None or not invitation.is_of(self._bootstrap, self._run):
            return Refusal.FALSE_INVITATION
        if self._owners.get(invitation.id, peer) != peer:
            return Refusal.USED_INVITATION
        if now_s > invitation.expires_s:
            return Refusal.EXPIRED_INVITATION
        self._owners[invitation.id] = peer
        return None
