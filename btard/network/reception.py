"""The server's side of the entrance: proves who it is, and hears who knocks."""

from __future__ import annotations

from collections.abc import Callable

from btard.crypto import Identity
from btard.network.certificate import Certificate, fingerprint
from btard.network.entrance import CHALLENGE_BYTES, Knock, Meeting
from btard.network.grpc_server import Context, Misbehaved, read
from btard.network.transport import STRANGER
from btard.types import FaultKind


class Reception:
    """Receives newcomers for the server with this identity and certificate. `entropy(n)` returns n random
    bytes, for nonces."""

    def __init__(self, identity: Identity, certificate: Certificate, entropy: Callable[[int], bytes]) -> None:
        self._identity = identity
        self._fingerprint = fingerprint(certificate.der)
        self._entropy = entropy

    async def receive(self, context: Context) -> Knock:
        """Return what a newcomer asks for on a new stream. Raises Misbehaved if it does not prove its key."""
        challenge = await read(context)
        if len(challenge) != CHALLENGE_BYTES:
            raise Misbehaved(STRANGER, FaultKind.BAD_HELLO, "sent no challenge at the entrance")
        nonce = self._entropy(CHALLENGE_BYTES)
        meeting = Meeting(challenge, nonce, self._fingerprint, self._identity.peer)
        await context.write(meeting.prove(self._identity))
        knock = meeting.open(await read(context))
        if knock is None:
            raise Misbehaved(STRANGER, FaultKind.BAD_HELLO, "sent a false knock at the entrance")
        return knock
