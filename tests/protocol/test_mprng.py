"""The coin: nobody can choose it, and nobody can change its share after the commitment."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import digest
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import CoinReveal, GradientCommitment
from btard.protocol.mprng import combine, false_reveals, share, share_commitment
from btard.protocol.state import RosterState
from btard.types import PeerId

D = bytes(32)
secrets = st.binary(min_size=32, max_size=32)
PEERS = tuple(PeerId(bytes([k]) * 32) for k in range(4))


def place(run: bytes = b"", step: int = 0, attempt: int = 0) -> bytes:
    state = RosterState.genesis(digest(run.decode()), ProtocolConfig(), PEERS, steps=1)
    return replace(state, step=step, attempt=attempt).place


def reveal(value: bytes, salt: bytes = D) -> CoinReveal:
    return CoinReveal(D, value, salt, ())


def commitment(peer: PeerId, value: bytes, salt: bytes = D) -> GradientCommitment:
    return GradientCommitment(D, (), share_commitment(peer, value, salt), (), ())


@given(st.lists(secrets, min_size=1, max_size=8), st.data())
def test_any_changed_share_changes_the_coin(shares: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(shares) - 1))
    other = data.draw(secrets.filter(lambda value: value != shares[place]))
    changed = [*shares[:place], other, *shares[place + 1 :]]
    assert combine([reveal(s) for s in shares]) != combine([reveal(s) for s in changed])


def test_one_honest_share_makes_the_coin_uniform_whatever_the_others_say() -> None:
    rigged = [reveal(b"\xff" * 32), reveal(D)]
    ones: Counter[int] = Counter()
    coins = 400
    for step in range(coins):
        honest, _ = share(digest("secret"), place(step=step))
        coin = int.from_bytes(combine([*rigged, reveal(honest)]), "little")
        ones.update(bit for bit in range(256) if coin >> bit & 1)
    # 256 fair coins tossed 400 times: 6 standard deviations are 60.
    assert all(abs(ones[bit] - coins / 2) < 60 for bit in range(256))


def test_a_peer_draws_another_share_and_another_salt_in_every_attempt_of_every_run() -> None:
    places = [place(run, s, a) for run in (b"one", b"other") for s in range(3) for a in range(3)]
    drawn = {value for each in places for value in share(digest("secret"), each)}
    assert len(drawn) == 36
    assert share(digest("other"), places[0]) != share(digest("secret"), places[0])


@given(secrets, secrets, st.integers(0, 3), st.sampled_from(["share", "salt"]))
def test_whoever_reveals_anything_else_than_it_committed_to_is_found(
    value: bytes, salt: bytes, liar: int, what: str
) -> None:
    promises = [commitment(peer, value, salt) for peer in PEERS]
    said = [reveal(value, salt) for _ in PEERS]
    assert false_reveals(PEERS, promises, said) == ()
    flipped = bytes([(value if what == "share" else salt)[0] ^ 1, *(value if what == "share" else salt)[1:]])
    said[liar] = reveal(flipped, salt) if what == "share" else reveal(value, flipped)
    assert false_reveals(PEERS, promises, said) == (liar,)


def test_nobody_can_repeat_another_peers_commitment_and_reveal() -> None:
    copied = commitment(PEERS[0], b"\x07" * 32)
    said = [reveal(b"\x07" * 32)] * 2
    assert false_reveals(PEERS[:2], [copied, copied], said) == (1,)
