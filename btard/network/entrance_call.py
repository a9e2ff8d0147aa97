"""The newcomer's side of the entrance: one stream to a server of which only the public key is known."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

# As in `grpc_transport`: read by gRPC's core when it loads.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc
import grpc.aio

from btard.crypto import Identity
from btard.errors import NetworkError
from btard.network.certificate import SERVER_NAME, fingerprint, is_certificate, pem_of
from btard.network.deadline import within
from btard.network.entrance import (
    ANSWER_BYTES_MAX,
    CHALLENGE_BYTES,
    METHOD,
    READY,
    Answer,
    Knock,
    Meeting,
    open_proof,
)
from btard.network.grpc_link import SERVICE, keepalive_options
from btard.network.limits import Limits
from btard.types import PeerId
from btard.wire import Rejection, decode

_GONE = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError, asyncio.TimeoutError)


class NobodyAnswersError(NetworkError):
    """No connection, or one that ended before the answer: trying again may help."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"nobody answers at {address}: check that the bootstrap runs, that the address is complete and "
            "current, and that its port is open to you"
        )


class WrongServerError(NetworkError):
    """Somebody answers who does not hold the key of the join line, or talks nonsense."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address} {why}: ask for the current line to join by")


@dataclass(frozen=True, slots=True)
class Place:
    """A server: its address, its key, and its certificate if that is known from a signed record."""

    address: str
    server: PeerId
    certificate: bytes | None = None


@dataclass(slots=True)
class EntranceCall:
    """A stream at an entrance, both ends proven. `local` is the IP address from which this machine reaches
    the server, "" if it is unknown; `certificate` is the server's."""

    local: str
    certificate: bytes
    _place: Place
    _identity: Identity
    _meeting: Meeting
    _stream: Any
    _limits: Limits

    async def knock(self, knock: Knock) -> None:
        """Say what for this newcomer has come. Raises NobodyAnswersError."""
        await self._write(self._meeting.seal(self._identity, knock))

    async def ready(self) -> None:
        """Answer `ready`. Raises NobodyAnswersError."""
        await self._write(READY)

    async def answer(self, timeout_s: float) -> Answer:
        """Return the next answer. Raises asyncio.TimeoutError, NobodyAnswersError at the end of the stream,
        WrongServerError for bytes that are no answer."""
        try:
            raw = await within(timeout_s, self._stream.read())
        except asyncio.TimeoutError:
            raise
        except _GONE:
            raise NobodyAnswersError(self._place.address) from None
        if not isinstance(raw, bytes):
            raise NobodyAnswersError(self._place.address)
        answer = decode(Answer, raw)
        if isinstance(answer, Rejection):
            raise WrongServerError(self._place.address, "gives answers that this version cannot read")
        return answer

    async def prompt_answer(self) -> Answer:
        """Return the next answer, which an honest server gives at once. Raises NobodyAnswersError too if it
        does not, WrongServerError."""
        try:
            return await self.answer(self._limits.connect_timeout_s)
        except asyncio.TimeoutError:
            raise NobodyAnswersError(self._place.address) from None

    async def _write(self, raw: bytes) -> None:
        try:
            await self._stream.write(raw)
        except _GONE:
            raise NobodyAnswersError(self._place.address) from None


@asynccontextmanager
async def call_entrance(
    place: Place, identity: Identity, limits: Limits, entropy: Callable[[int], bytes]
) -> AsyncIterator[EntranceCall]:
    """Open a stream to a server and let it prove its key, within `limits.connect_timeout_s`.

    Raises NobodyAnswersError, or WrongServerError if it has another key."""
    local, certificate = "", place.certificate
    if certificate is None:
        local, certificate = await _see_certificate(place.address, limits)
    channel = grpc.aio.secure_channel(
        f"dns:///{place.address}",
        grpc.ssl_channel_credentials(root_certificates=pem_of(certificate)),
        options=_options(limits),
    )
    try:
        stream = channel.stream_stream(f"/{SERVICE}/{METHOD}")()
        challenge = entropy(CHALLENGE_BYTES)
        try:
            proof = await within(limits.connect_timeout_s, _challenge(stream, challenge))
        except _GONE:
            raise NobodyAnswersError(place.address) from None
        if not isinstance(proof, bytes):
            raise NobodyAnswersError(place.address)
        meeting = open_proof(proof, challenge, fingerprint(certificate))
        if meeting is None or meeting.server != place.server:
            raise WrongServerError(place.address, "is not the server whose key the address names")
        yield EntranceCall(local, certificate, place, identity, meeting, stream, limits)
    finally:
        await channel.close()


async def _challenge(stream: Any, challenge: bytes) -> object:
    await stream.write(challenge)
    return await stream.read()


async def _see_certificate(address: str, limits: Limits) -> tuple[str, bytes]:
    """Return the local address of a connection to a server, and the certificate that it shows. Whose that is,
    its proof says: gRPC in Python takes no server whose certificate was not given to it beforehand."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    connecting = asyncio.open_connection(
        host.strip("[]"), int(port), ssl=context, server_hostname=SERVER_NAME
    )
    try:
        _, writer = await within(limits.connect_timeout_s, connecting)
    except (OSError, asyncio.TimeoutError, UnicodeError):  # SSLError is an OSError
        raise NobodyAnswersError(address) from None
    try:
        seen = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
        local = str(writer.get_extra_info("sockname")[0])
    finally:
        writer.transport.abort()  # nothing was said that could be lost; gRPC need not take its leave
    if not is_certificate(seen):
        raise WrongServerError(address, "is no entrance of a run")
    return local, seen


def _options(limits: Limits) -> list[tuple[str, Any]]:
    return [
        *keepalive_options(limits),
        ("grpc.ssl_target_name_override", SERVER_NAME),
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    ]
