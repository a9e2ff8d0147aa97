"""The multi-party coin: commit to a share, reveal it, r_t = XOR of all shares (BTARD, Appendix A.2).

Everybody commits together with the gradient and reveals once every hash of gradients and aggregates
is fixed, so that nobody knows r_t while it can still choose what r_t will examine. One honest share
makes the coin uniform. A false or withheld reveal ends the attempt without its author, and the next
attempt draws again from fresh shares.
"""

from __future__ import annotations

from collections.abc import Sequence

from btard.crypto import commit, digest, opens
from btard.protocol.messages import CoinReveal, GradientCommitment
from btard.types import Digest, PeerId

DOMAIN = "coin share"


def share(secret: bytes, place: bytes) -> tuple[bytes, bytes]:
    """This peer's (share, salt) of one attempt, 32 bytes each, derived from a secret of its own.

    `secret` is 32 bytes of fresh entropy, which no key yields: shares are published, so whoever derived them
    from a key would show in one run what it will say in another. `place` names run, step and attempt
    (`RosterState.place`)."""
    return digest("own share", secret, place), digest("own salt", secret, place)


def share_commitment(peer: PeerId, value: bytes, salt: bytes) -> Digest:
    """H(i, x_i, salt_i): the peer's name inside keeps anyone from repeating another's commitment."""
    return commit(DOMAIN, peer + value, salt)


def false_reveals(
    participants: Sequence[PeerId], commitments: Sequence[GradientCommitment], reveals: Sequence[CoinReveal]
) -> tuple[int, ...]:
    """Seats whose reveal does not open their commitment."""
    return tuple(
        seat
        for seat, (peer, promise, reveal) in enumerate(zip(participants, commitments, reveals, strict=True))
        if not opens(DOMAIN, Digest(promise.coin), peer + reveal.share, reveal.salt)
    )


def combine(reveals: Sequence[CoinReveal]) -> bytes:
    """r_t: the XOR of all shares."""
    coin = 0
    for reveal in reveals:
        coin ^= int.from_bytes(reveal.share, "little")
    return coin.to_bytes(32, "little")
