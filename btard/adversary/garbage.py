"""A peer that sends noise, unsigned or under its own signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from btard.adversary.base import Adversary
from btard.adversary.forge import own_posts, reseal
from btard.crypto import keystream
from btard.errors import ConfigurationError
from btard.machine import Actions, Send
from btard.protocol.messages import Phase
from btard.protocol.peer import PeerMachine


@dataclass(kw_only=True, eq=False)
class Garbage(Adversary):
    """Sends noise of `size_bytes` in its slot of `phase`: in place of the payload, under a valid signature,
    if `signed`; else `count` messages to everybody before the honest one."""

    reasons: ClassVar[frozenset[str]] = frozenset({"malformed message", "silent in phase record"})

    phase: Phase = "gradient"
    signed: bool = True
    count: int = 10
    size_bytes: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (1 <= self.count <= 1000 and 1 <= self.size_bytes <= 2**18):
            raise ConfigurationError(
                f"garbage is {self.count} messages of {self.size_bytes} bytes: "
                "use 1 to 1000 messages of 1 to 262144 bytes"
            )

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        for send, sealed in tuple(own_posts(out, self.identity)):
            envelope = sealed.envelope
            if envelope.phase != self.phase or not self.active(envelope.step) or len(send.to) < 2:
                continue
            place = out.messages.index(send)
            if self.signed:
                noise = self._noise(envelope.step, envelope.attempt, 0)
                out.messages[place] = Send(send.to, reseal(self.identity, sealed, noise))
            else:
                out.messages[place:place] = [
                    Send(send.to, self._noise(envelope.step, envelope.attempt, index))
                    for index in range(self.count)
                ]
        return out

    def _noise(self, step: int, attempt: int, index: int) -> bytes:
        place = b"".join(number.to_bytes(8, "little") for number in (step, attempt, index))
        return keystream(self.seed + place, "garbage", self.size_bytes)
