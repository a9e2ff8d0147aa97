"""The words at the entrance of a run: how a newcomer and a server that it has never met prove themselves.

A newcomer knows the public keys in the join line, and nothing else. Server and newcomer both sign the nonces
of this one stream and the server's TLS certificate, so nothing that is said on one stream holds on another,
or through a relay:

    newcomer                              server
    challenge (32)
                                          proof: nonce (32) | key (32) | signature (64)
    knock: to be told the run, or to take a seat in it
                                          answer
    READY, each time it is asked          ANSWER of READY, and BEGUN in the end

Members answer the first kind of knock only. Their description and roster are signed by the bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Literal

from btard.crypto import DIGEST_BYTES, PEER_ID_BYTES, SIGNATURE_BYTES, Identity, digest, verify
from btard.network.address import ADDRESS_BYTES_MAX, is_address
from btard.network.libp2p import MULTIADDR_BYTES_MAX, is_bootstrap_address
from btard.network.record import RECORD_BYTES_MAX
from btard.types import Digest, PeerId
from btard.wire import MAX_PEERS, MaxLen, MaxSize, Rejection, Size, decode, encode, message

METHOD = "enter"
"""The gRPC method of the stream."""

CHALLENGE_BYTES = 32
PROOF_BYTES = CHALLENGE_BYTES + PEER_ID_BYTES + SIGNATURE_BYTES
READY = b"\x01"

TOKEN_BYTES_MAX = 128
KNOCK_BYTES_MAX = RECORD_BYTES_MAX + TOKEN_BYTES_MAX + 256
CONFIGURATION_BYTES_MAX = 2**18
GENESIS_BYTES_MAX = CONFIGURATION_BYTES_MAX + 2**15
ENDPOINTS_MAX = 8
ANSWER_BYTES_MAX = 2 << 20
"""Of an answer: a description, a roster, and a record for each of 64 seats are below."""


class Refusal(Enum):
    """Why a newcomer gets no seat, as a stable word."""

    FULL = "full"
    ADDRESS_FULL = "address full"
    NOT_LISTED = "not listed"
    UNINVITED = "uninvited"
    FALSE_INVITATION = "false invitation"
    USED_INVITATION = "used invitation"
    EXPIRED_INVITATION = "expired invitation"
    BEGUN = "begun"
    ANOTHER_RUN = "another run"
    BAD_RECORD = "bad record"


@message("introduction")
@dataclass(frozen=True, slots=True)
class Introduction:
    """What a bootstrap says of its run: the canonical description, the addresses of its entrance, and those
    of the directory's first node. Signed, so that any member can pass it on."""

    bootstrap: PeerId
    configuration: Annotated[bytes, MaxSize(CONFIGURATION_BYTES_MAX)]
    entrances: Annotated[tuple[Annotated[str, MaxLen(ADDRESS_BYTES_MAX)], ...], MaxLen(ENDPOINTS_MAX)]
    directory: Annotated[tuple[Annotated[str, MaxLen(MULTIADDR_BYTES_MAX)], ...], MaxLen(ENDPOINTS_MAX)]
    signature: Annotated[bytes, Size(SIGNATURE_BYTES)] = bytes(SIGNATURE_BYTES)


@message("knock")
@dataclass(frozen=True, slots=True)
class Knock:
    """What a newcomer asks for: the run's description (`run` is None), or a seat in that run at the addresses
    of its signed `record`, with an invitation if it has one."""

    peer: PeerId
    run: Annotated[bytes, Size(DIGEST_BYTES)] | None = None
    record: Annotated[bytes, MaxSize(RECORD_BYTES_MAX)] | None = None
    invitation: Annotated[str, MaxLen(TOKEN_BYTES_MAX)] | None = None
    signature: Annotated[bytes, Size(SIGNATURE_BYTES)] = bytes(SIGNATURE_BYTES)


@message("answer")
@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answers. `told`: the introduction, and the roster if the run has begun. `seated`: a seat,
    while this stream stays open. `ready`: are you still there? `begun`: the roster. `refused`: why not.

    `genesis` is the ledger's header, `records` are signed records of its members."""

    word: Literal["told", "seated", "ready", "begun", "refused"]
    introduction: Annotated[bytes, MaxSize(CONFIGURATION_BYTES_MAX + 2**14)] | None = None
    genesis: Annotated[bytes, MaxSize(GENESIS_BYTES_MAX)] | None = None
    records: Annotated[tuple[Annotated[bytes, MaxSize(RECORD_BYTES_MAX)], ...], MaxLen(MAX_PEERS)] = ()
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Meeting:
    """What both sides of one stream sign: the newcomer's challenge, the server's nonce, the fingerprint of
    its certificate and its key."""

    challenge: bytes
    nonce: bytes
    certificate: Digest
    server: PeerId

    def _statement(self, who: str, *said: bytes) -> bytes:
        return digest(f"entrance {who}", self.challenge, self.nonce, self.certificate, self.server, *said)

    def prove(self, identity: Identity) -> bytes:
        """Return the proof of the server with this identity."""
        return self.nonce + self.server + identity.sign(self._statement("server"))

    def seal(self, identity: Identity, knock: Knock) -> bytes:
        """Return a newcomer's knock, signed."""
        unsigned = replace(knock, signature=bytes(SIGNATURE_BYTES))
        signature = identity.sign(self._statement("newcomer", encode(unsigned)))
        return encode(replace(unsigned, signature=signature))

    def open(self, raw: bytes) -> Knock | None:
        """Return the knock in hostile bytes, or None if it is not genuine on this stream."""
        if len(raw) > KNOCK_BYTES_MAX:
            return None
        knock = decode(Knock, raw)
        if isinstance(knock, Rejection):
            return None
        unsigned = encode(replace(knock, signature=bytes(SIGNATURE_BYTES)))
        return knock if verify(knock.peer, self._statement("newcomer", unsigned), knock.signature) else None


def open_proof(raw: bytes, challenge: bytes, certificate: Digest) -> Meeting | None:
    """Return the meeting that a server's hostile proof makes genuine, or None. The caller compares its
    key."""
    if len(raw) != PROOF_BYTES:
        return None
    nonce, key = raw[:CHALLENGE_BYTES], raw[CHALLENGE_BYTES:-SIGNATURE_BYTES]
    meeting = Meeting(challenge, nonce, certificate, PeerId(key))
    genuine = verify(meeting.server, meeting._statement("server"), raw[-SIGNATURE_BYTES:])
    return meeting if genuine else None


def seal_introduction(identity: Identity, introduction: Introduction) -> bytes:
    """Sign an introduction, as the bootstrap that it names."""
    assert introduction.bootstrap == identity.peer, "an introduction is signed by its bootstrap"
    unsigned = replace(introduction, signature=bytes(SIGNATURE_BYTES))
    return encode(replace(unsigned, signature=identity.sign(_introduced(unsigned))))


def open_introduction(raw: bytes) -> Introduction | None:
    """Return the introduction in hostile bytes, or None if its form, an address or its signature is wrong."""
    opened = decode(Introduction, raw)
    if isinstance(opened, Rejection):
        return None
    unsigned = replace(opened, signature=bytes(SIGNATURE_BYTES))
    if not verify(opened.bootstrap, _introduced(unsigned), opened.signature):
        return None
    good = all(map(is_address, opened.entrances)) and all(map(is_bootstrap_address, opened.directory))
    return opened if good else None


def _introduced(unsigned: Introduction) -> bytes:
    return digest("entrance introduction", encode(unsigned))
