"""Signed messages: who says what, in which run, step, attempt and phase, under which roster."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Annotated

from btard.crypto import Identity, digest, verify
from btard.errors import ConfigurationError
from btard.types import Digest, FaultKind, PeerId, short
from btard.wire import limits
from btard.wire.limits import MAX_PAYLOAD_BYTES, MaxLen, MaxSize, Range, Size
from btard.wire.rejection import Rejection
from btard.wire.schema import decode, encode, message

_CACHED_MESSAGE_BYTES_MAX = 64 << 10
_CACHE_ENTRIES_MAX = 4096
_CACHE_BYTES_MAX = 32 << 20


@message("envelope")
@dataclass(frozen=True, slots=True)
class Envelope:
    """The body of a signed message. `payload` is one encoded message; the phase says of which kinds."""

    run: Annotated[bytes, Size(32)]
    step: Annotated[int, Range(0, limits.MAX_STEP)]
    attempt: Annotated[int, Range(0, limits.MAX_ATTEMPT)]
    phase: Annotated[str, MaxLen(limits.MAX_PHASE_BYTES)]
    roster: Annotated[bytes, Size(32)]
    sender: PeerId
    payload: Annotated[bytes, MaxSize(MAX_PAYLOAD_BYTES)]


@message("sealed")
@dataclass(frozen=True, slots=True)
class _Signed:
    body: Annotated[bytes, MaxSize(limits.MAX_CONTROL_BYTES)]
    signature: Annotated[bytes, Size(64)]


@dataclass(frozen=True, slots=True)
class Sealed:
    """An envelope whose signature holds, with its bytes to be relayed or kept as evidence.

    `digest` is `digest("envelope", body)`, not a digest of `raw`: a signer can make many valid signatures of
    one body, and these count neither as several messages nor as disagreement about one.
    """

    envelope: Envelope
    raw: bytes
    digest: Digest


def seal(identity: Identity, envelope: Envelope) -> bytes:
    """Sign an envelope: the canonical bytes of ["sealed", body, signature].

    `body` is the envelope's canonical encoding; the Ed25519 signature covers `digest("envelope", body)`, so a
    large payload is hashed once. Raises ConfigurationError if the sender is not `identity` or a field exceeds
    its bounds.
    """
    if envelope.sender != identity.peer:
        raise ConfigurationError(
            f"{short(identity.peer)} cannot sign for {short(envelope.sender)}: set sender to identity.peer"
        )
    body = encode(envelope)
    return encode(_Signed(body, identity.sign(digest("envelope", body))))


def open_sealed(raw: bytes) -> Sealed | Rejection:
    """Check hostile bytes: size, canonical form of both layers, signature. Never raises.

    The receiver has to check run, step, attempt, phase, roster, membership of the sender, and the payload.

    A pure function, and memoised: in reliable broadcast every peer relays the same bytes, and verification
    (about 0.1 ms) would be most of its cost. The cache is bounded (4,096 messages of at most 64 kB, 32 MiB in
    all, the least recently used go first). It holds accepted messages only, so garbage cannot flush it.
    """
    raw = bytes(raw)
    if len(raw) > _CACHED_MESSAGE_BYTES_MAX:
        return _open(raw)
    opened: Sealed | Rejection | None = _OPENED.get(raw)
    if opened is None:
        opened = _open(raw)
        if isinstance(opened, Sealed):
            _OPENED.put(opened)
    return opened


def _open(raw: bytes) -> Sealed | Rejection:
    signed = decode(_Signed, raw)
    if isinstance(signed, Rejection):
        return signed
    envelope = decode(Envelope, signed.body)
    if isinstance(envelope, Rejection):
        return envelope
    name = digest("envelope", signed.body)
    if not verify(envelope.sender, name, signed.signature):
        return Rejection(FaultKind.BAD_SIGNATURE, f"not signed by {short(envelope.sender)}")
    return Sealed(envelope, raw, name)


class _Opened:
    """Accepted messages by their bytes, bounded in number and size; safe to share between threads."""

    def __init__(self, entries_max: int, bytes_max: int) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._entries: OrderedDict[bytes, Sealed] = OrderedDict()
        self._size_bytes = 0
        self._lock = Lock()

    def get(self, raw: bytes) -> Sealed | None:
        with self._lock:
            sealed = self._entries.get(raw)
            if sealed is not None:
                self._entries.move_to_end(raw)
            return sealed

    def put(self, sealed: Sealed) -> None:
        with self._lock:
            if sealed.raw not in self._entries:
                self._size_bytes += len(sealed.raw)
            self._entries[sealed.raw] = sealed
            while len(self._entries) > self._entries_max or self._size_bytes > self._bytes_max:
                oldest, _ = self._entries.popitem(last=False)
                self._size_bytes -= len(oldest)


_OPENED = _Opened(_CACHE_ENTRIES_MAX, _CACHE_BYTES_MAX)
