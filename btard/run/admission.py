"""Who may take a seat of a run's first roster: part of the run's description, and so of its id."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from btard.types import PeerId

PER_ADDRESS = 4
"""Seats of one address in an open run, if its plan does not say otherwise."""

LISTED_MAX = 256

_Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Admission(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Open(_Admission):
    """Anybody may take a seat: who comes first has it. `per_address` bounds the seats of one address (IPv6:
    of one /64). Whoever has many addresses can take most seats, and with them the run."""

    kind: Literal["open"] = "open"
    per_address: Annotated[int, Field(ge=1, le=LISTED_MAX)] = PER_ADDRESS


class Allow(_Admission):
    """Only the listed public keys may take seats: hexadecimal, sorted, each once."""

    kind: Literal["allow"] = "allow"
    peers: Annotated[tuple[_Key, ...], Field(min_length=1, max_length=LISTED_MAX)]

    @field_validator("peers")
    @classmethod
    def _canonical(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if list(keys) != sorted(set(keys)):
            raise ValueError("the keys must be sorted, and each there once")
        return keys


class Invite(_Admission):
    """Only holders of an invitation that the bootstrap's key has signed may take seats (`invitation.py`)."""

    kind: Literal["invite"] = "invite"


Admission = Annotated[Open | Allow | Invite, Field(discriminator="kind")]


def allowing(peers: tuple[PeerId, ...]) -> Allow:
    """Return the admission of these peers alone. Raises pydantic.ValidationError for none, or too many."""
    return Allow(peers=tuple(sorted({peer.hex() for peer in peers})))
