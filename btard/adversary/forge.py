"""Messages of one's own identity: which of those that leave are its own, and how to say another thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from btard.crypto import Identity, digest
from btard.machine import Actions, Send
from btard.protocol.messages import PAYLOADS, PartScalars
from btard.wire import Sealed, decode, encode, open_sealed, seal


def own_posts(out: Actions, identity: Identity) -> Iterator[tuple[Send, Sealed]]:
    """The messages among `out` that `identity` signed in a slot of an attempt, with how they are sent."""
    for send in out.messages:
        sealed = open_sealed(send.raw)
        if not isinstance(sealed, Sealed) or sealed.envelope.sender != identity.peer:
            continue
        if sealed.envelope.phase in PAYLOADS:
            yield send, sealed


def reseal(identity: Identity, sealed: Sealed, payload: bytes) -> bytes:
    """A message in the same slot with another payload, signed."""
    return seal(identity, replace(sealed.envelope, payload=payload))


def other_payload(sealed: Sealed) -> bytes:
    """Another payload that an honest peer might have sent in this slot: same phase, same `previous_set`."""
    phase = sealed.envelope.phase
    payload: Any = decode(PAYLOADS[phase], sealed.envelope.payload)
    return encode(_VARIANTS[phase](payload))


def _other(value: bytes) -> bytes:
    return digest("forged", value)


def _other_scalars(scalars: PartScalars) -> PartScalars:
    return replace(scalars, norm=2.0 * scalars.norm + 1.0)


def _other_accusations(said: Any) -> Any:
    if said.fingerprint is None:
        return replace(said, salt=_other(said.salt))
    return replace(said, fingerprint=_other_scalars(said.fingerprint))


_VARIANTS: dict[str, Callable[[Any], Any]] = {
    "gradient": lambda said: replace(said, coin=_other(said.coin)),
    "aggregate": lambda said: replace(said, aggregate=_other(said.aggregate), missing=()),
    "relay": lambda said: replace(said, votes=tuple((vote + 1) % 2 for vote in said.votes)),
    "reveal": lambda said: replace(said, share=_other(said.share)),
    "scalars": lambda said: replace(said, parts=tuple(map(_other_scalars, said.parts))),
    "accuse": _other_accusations,
    "verdict": lambda said: replace(said, votes=tuple(replace(vote, guilty=()) for vote in said.votes)),
    "record": lambda said: replace(said, record=_other(said.record)),
}
