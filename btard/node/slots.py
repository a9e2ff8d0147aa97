"""Which messages fill a slot of their sender: what a peer says once, whatever happens to its process."""

from __future__ import annotations

from btard.crypto import digest
from btard.node.votes import Place
from btard.protocol.messages import REQUESTS, Need, ViewRelay, Want
from btard.types import Digest, PeerId
from btard.wire import Claim, Rejection, decode, read_claim


def is_own(raw: bytes, me: PeerId) -> bool:
    """Return whether a message fills a slot of this peer: it is its author's, or the relay of its view."""
    claim = read_claim(raw)
    if isinstance(claim, Claim):
        return claim.envelope.sender == me
    relay = decode(ViewRelay, raw)
    if isinstance(relay, Rejection):
        return False
    view = read_claim(relay.view)
    return isinstance(view, Claim) and view.envelope.sender == me


def place_of(raw: bytes) -> Place | None:
    """Return the attempt that a message is of; None for bytes that are none."""
    claim = read_claim(raw)
    if isinstance(claim, Claim):
        return claim.envelope.step, claim.envelope.attempt
    request: Need | Want | ViewRelay | Rejection = decode(REQUESTS, raw)
    return None if isinstance(request, Rejection) else (request.step, request.attempt)


def said_digest(raw: bytes) -> Digest:
    """Return the name of a message in a journal."""
    return digest("said", raw)
