"""Invitations: tokens that a bootstrap's key signs for one run, one seat each.

A token is a bearer's: the first key that shows it has it for the whole of the run. It is good in one run
alone, since it names the run id, and until it expires."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import base58

from btard.crypto import SIGNATURE_BYTES, Identity, digest, verify
from btard.errors import ConfigurationError
from btard.types import Digest, PeerId

ID_BYTES = 16
TOKEN_TEXT_MAX = 128

_CLAIM = struct.Struct(f">{ID_BYTES}sQ")
_BYTES = _CLAIM.size + SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Invitation:
    """A token taken apart: 16 random bytes that name it, the last second (since 1970, UTC) in which it is
    good, and a signature that may be anybody's."""

    id: bytes
    expires_s: int
    signature: bytes

    @classmethod
    def issue(cls, bootstrap: Identity, run: Digest, number: bytes, expires_s: int) -> Invitation:
        """Sign an invitation of a run. `number` is 16 bytes that no other invitation has.

        Raises ConfigurationError for an expiration that is no second of this era."""
        if len(number) != ID_BYTES:
            raise ConfigurationError(
                f"the name of an invitation has {len(number)} bytes: use {ID_BYTES} bytes"
            )
        if not 0 <= expires_s < 2**40:
            raise ConfigurationError(f"an invitation that expires at {expires_s} cannot be: use fewer days")
        return cls(number, expires_s, bootstrap.sign(_statement(run, number, expires_s)))

    @classmethod
    def parse(cls, text: str) -> Invitation | None:
        """Return the invitation in hostile text, or None if it is none."""
        if not 0 < len(text) <= TOKEN_TEXT_MAX or not text.isascii():
            return None
        try:
            raw = base58.b58decode(text)
        except ValueError:
            return None
        if len(raw) != _BYTES or base58.b58encode(raw).decode() != text:
            return None
        number, expires_s = _CLAIM.unpack(raw[: _CLAIM.size])
        return cls(number, expires_s, raw[_CLAIM.size :])

    @property
    def text(self) -> str:
        """The token as people pass it on, about 120 letters and digits."""
        return base58.b58encode(_CLAIM.pack(self.id, self.expires_s) + self.signature).decode()

    def is_of(self, bootstrap: PeerId, run: Digest) -> bool:
        """Return whether that bootstrap's key has signed it for that run."""
        return verify(bootstrap, _statement(run, self.id, self.expires_s), self.signature)


def _statement(run: Digest, number: bytes, expires_s: int) -> bytes:
    return digest("run invitation", run, _CLAIM.pack(number, expires_s))
