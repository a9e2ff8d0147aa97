"""The hello by which a client proves its identity: a signature over the nonce and certificate of the server.

gRPC in Python has no hook for checking the certificate of a client, so TLS authenticates the server only.
The signature binds the hello to this run, this stream and this very server: a server that relays the hello
of a client to another one fails there, because it has another certificate.
"""

from __future__ import annotations

from btard.crypto import DIGEST_BYTES, PEER_ID_BYTES, SIGNATURE_BYTES, Identity, digest, verify
from btard.types import Digest, PeerId

NONCE_BYTES = 32
HELLO_BYTES = DIGEST_BYTES + PEER_ID_BYTES + SIGNATURE_BYTES


def _statement(run: bytes, stream: str, nonce: bytes, server: Digest, peer: bytes) -> bytes:
    return digest("network hello", run, stream.encode(), nonce, server, peer)


def seal_hello(identity: Identity, run: bytes, stream: str, nonce: bytes, server: Digest) -> bytes:
    """Make the hello of `identity` for one stream ("control" or "blob") to the server whose certificate has
    the fingerprint `server`: run (32) | peer (32) | signature (64)."""
    return run + identity.peer + identity.sign(_statement(run, stream, nonce, server, identity.peer))


def open_hello(raw: bytes, stream: str, nonce: bytes, server: Digest) -> tuple[PeerId, bytes] | None:
    """Return the author of a hello and its run; None if the hello is not genuine. The caller checks run and
    membership: from then on there is a peer to blame."""
    if len(raw) != HELLO_BYTES:
        return None
    run, peer, signature = raw[:DIGEST_BYTES], raw[DIGEST_BYTES:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    if not verify(peer, _statement(run, stream, nonce, server, peer), signature):
        return None
    return PeerId(peer), run
