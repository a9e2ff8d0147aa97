"""What leaves a peer and when it gets where: control messages, blobs, and forgeries of what was heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from btard.adversary.forge import other_payload
from btard.machine import Received, Send
from btard.node.driver import Push
from btard.protocol.messages import PAYLOADS, REQUESTS, ViewRelay
from btard.simulation.dice import Dice
from btard.simulation.host import Host
from btard.simulation.links import Links
from btard.types import Bytes, Digest, PeerId
from btard.wire import Rejection, Sealed, decode, open_sealed

Schedule = Callable[[float, int, "Received | Blob"], None]
"""Told when what arrives at whom, by index."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob at the end of its way. Whoever sent it said that it has `claimed_bytes`."""

    sender: PeerId
    name: Digest
    data: Bytes
    claimed_bytes: int


class Traffic:
    """Carries what peers send over the `links` to those that `index_of` knows. `said` are the sealed
    messages that each honest peer has sent in its own name; `forgeries` counts those of Byzantine peers, who
    forge what they hear with chance `forged`."""

    def __init__(
        self, seed: int, links: Links, index_of: Mapping[PeerId, int], forged: float, schedule: Schedule
    ) -> None:
        self.said: dict[PeerId, set[bytes]] = {peer: set() for peer in index_of}
        self.forgeries = 0
        self._links = links
        self._index_of = index_of
        self._forged = forged
        self._schedule = schedule
        self._heard = Dice(seed, "last breath")
        self._forging = Dice(seed, "forgeries")

    def note(self, host: Host, sends: Iterable[Send]) -> None:
        """Note what an honest peer says in its own name, whoever gets it."""
        for send in sends if host.honest else ():
            sealed = open_sealed(send.raw)
            if isinstance(sealed, Sealed):
                if sealed.envelope.sender == host.peer:
                    self.said[host.peer].add(send.raw)
                continue
            relay = decode(REQUESTS, send.raw)
            if isinstance(relay, ViewRelay) and not relay.signers:  # its author sends it first
                self.said[host.peer].add(relay.view)

    def send(self, host: Host, send: Send, heard: float | None, now: float) -> None:
        """Send a control message. `heard`: the fraction of recipients that the last messages of a peer that
        has just crashed still get, None for all."""
        for index in self._audience(host, send.to, heard):
            arrival = self._links.control(host.index, index, len(send.raw), now)
            if arrival is not None:
                self._schedule(arrival, index, Received(host.peer, send.raw))

    def push(self, host: Host, push: Push, heard: float | None, now: float) -> None:
        """Send a blob, as `send` does."""
        claimed = host.claims(push.digest, len(push.data))
        for index in self._audience(host, push.to, heard):
            arrival = self._links.blob(host.index, index, len(push.data), now)
            if arrival is not None:
                self._schedule(arrival, index, Blob(host.peer, push.digest, push.data, claimed))

    def forge(self, host: Host, heard: Received, now: float) -> None:
        """Let a Byzantine peer that has heard a message send somebody an altered one, by chance."""
        if not self._forging.chance(self._forged):
            return
        forgery = _altered(heard.raw)
        if forgery is None:
            return
        victim = self._forging.below(len(self._index_of))
        arrival = self._links.control(host.index, victim, len(forgery), now)
        if victim != host.index and arrival is not None:
            self.forgeries += 1
            self._schedule(arrival, victim, Received(host.peer, forgery))

    def _audience(self, host: Host, to: Iterable[PeerId], heard: float | None) -> Iterator[int]:
        """Yield whom the host reaches: all others, or the fraction `heard` of them if it has just crashed."""
        for peer in to:
            index = self._index_of.get(peer)
            if index is not None and index != host.index and (heard is None or self._heard.chance(heard)):
                yield index


def _altered(raw: bytes) -> bytes | None:
    """Return a message of a slot with another payload and the signature that it had, None if there is no
    other payload of this length."""
    sealed = open_sealed(raw)
    if not isinstance(sealed, Sealed) or sealed.envelope.phase not in PAYLOADS:
        return None
    said = sealed.envelope.payload
    if isinstance(decode(PAYLOADS[sealed.envelope.phase], said), Rejection):
        return None
    other = other_payload(sealed)
    return raw.replace(said, other) if len(other) == len(said) and other != said else None
