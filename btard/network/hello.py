"""How a client proves who it is: a signature over the server's nonce and the server's certificate.

gRPC in Python has no hook for checking a client's certificate, so TLS authenticates the server only.
The signed words bind the hello to this run, this stream and this very server: a server that relays
a client's hello to another one fails there, since its certificate is another.
"""

from __future__ import annotations

from btard.crypto import DIGEST_BYTES, PEER_ID_BYTES, SIGNATURE_BYTES, Identity, digest, verify
from btard.types import Digest, PeerId

NONCE_BYTES = 32
HELLO_BYTES = DIGEST_BYTES + PEER_ID_BYTES + SIGNATURE_BYTES


def _words(run: bytes, stream: str, nonce: bytes, server: Digest, peer: bytes) -> bytes:
    return digest("network hello", run, stream.encode(), nonce, server, peer)


def seal_hello(identity: Identity, run: bytes, stream: str, nonce: bytes, server: Digest) -> bytes:
    """The hello of `identity` for one stream ("control" or "blob") to the server whose certificate has
    the fingerprint `server`: run (32) | peer (32) | signature (64)."""
    return run + identity.peer + identity.sign(_words(run, stream, nonce, server, identity.peer))


def open_hello(raw: bytes, stream: str, nonce: bytes, server: Digest) -> tuple[PeerId, bytes] | None:
    """Who says hello, and for which run; None where the hello is not genuine. Run and membership are
    for the caller to judge, once it knows whom to blame."""
    if len(raw) != HELLO_BYTES:
        return None
    run, peer, signature = raw[:DIGEST_BYTES], raw[DIGEST_BYTES:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    if not verify(peer, _words(run, stream, nonce, server, peer), signature):
        return None
    return PeerId(peer), run
