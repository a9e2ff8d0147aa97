"""What real runs said: the messages of short runs in which somebody cheats, by kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

from btard.adversary import make_adversary
from btard.crypto import Identity, digest
from btard.protocol import messages
from btard.protocol.messages import ACCUSE, RECORD, REQUESTS, REVEAL
from btard.wire import Rejection, Sealed, decode, encode, open_sealed
from tests.cheats import falls_silent, misreports, performing
from tests.rig import MakeAdversary, Peer, Rig

PEERS, STEPS, BYZANTINE = 4, 2, 3
"""Seats of a recorded run, its steps, and the seat that cheats."""

CHEATS: Mapping[str, MakeAdversary] = {
    "honest": partial(make_adversary, "mimic"),
    "dispute": falls_silent(REVEAL, step=0),
    "silent in the vote": falls_silent(RECORD, step=0),
    "silent accuser": falls_silent(ACCUSE),
    "verdict": performing(misreports),
    "relay": partial(make_adversary, "withheld_part"),
    "equivocation": partial(make_adversary, "equivocation"),
    "accusation": partial(make_adversary, "false_accusation", start=1),
    "early dispute": partial(make_adversary, "premature_dispute"),
}
"""Runs by what their cheat does."""

STRANGER = Identity.from_seed(b"\xee" * 32)


class RecordedRig(Rig):
    """A rig that keeps what its peers said to each other, each message once."""

    def __init__(self, peers: int, steps: int, **options: object) -> None:
        self.said: dict[bytes, int] = {}
        """Message -> the seat that sent it first."""
        super().__init__(peers, steps, **options)  # type: ignore[arg-type]

    def send(self, sender: Peer, to: Peer, raw: bytes) -> None:
        self.said.setdefault(raw, sender.seat)
        super().send(sender, to, raw)


@cache
def recorded(cheat: str) -> RecordedRig:
    """The run of a cheat, at its end."""
    rig = RecordedRig(
        PEERS, STEPS, run=digest("fuzzed run", cheat.encode()), cheats={BYZANTINE: CHEATS[cheat]}
    )
    rig.run()
    return rig


@cache
def sealed_messages() -> tuple[bytes, ...]:
    """Signed messages of all runs, at most twelve of a phase."""
    found: dict[str, list[bytes]] = {}
    for raw in (raw for cheat in CHEATS for raw in recorded(cheat).said):
        for each in (raw, *_views(raw)):
            opened = open_sealed(each)
            if isinstance(opened, Sealed):
                found.setdefault(opened.envelope.phase, []).append(each)
    return tuple(raw for kind in found.values() for raw in kind[:: max(1, len(kind) // 12)])


def payloads(phase: str) -> tuple[bytes, ...]:
    """Payloads of a phase, as real peers signed them."""
    opened = [open_sealed(raw) for raw in sealed_messages()]
    found = [each.envelope for each in opened if isinstance(each, Sealed)]
    return tuple(dict.fromkeys(said.payload for said in found if said.phase == phase))


@cache
def requests() -> tuple[bytes, ...]:
    """Unsigned requests of all runs, and one of each kind."""
    said = [raw for cheat in CHEATS for raw in recorded(cheat).said if _is_request(raw)]
    made = [messages.Need(0, 0, "gradient", (0, 1)), messages.Want(0, 0, (bytes(32),))]
    return (*said[:: max(1, len(said) // 24)], *map(encode, made))


@cache
def records() -> tuple[bytes, ...]:
    """The ledger records of all runs."""
    return tuple(encode(record) for cheat in CHEATS for record in recorded(cheat).agreed())


def _is_request(raw: bytes) -> bool:
    return not isinstance(decode(REQUESTS, raw), Rejection)


def _views(raw: bytes) -> tuple[bytes, ...]:
    relay = decode(messages.ViewRelay, raw)
    return () if isinstance(relay, Rejection) else (relay.view,)
