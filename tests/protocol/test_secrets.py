"""What a peer commits to comes of its secret: nobody who holds its key alone can tell it in advance."""

from __future__ import annotations

from btard.crypto import Identity, digest
from btard.machine import ComputeGradient, Done
from btard.node.performer import Performer
from btard.protocol import mprng
from btard.protocol.messages import GradientCommitment
from btard.protocol.peer import PeerMachine
from btard.training import BlobStore
from btard.types import Digest
from btard.wire import Sealed, decode, open_sealed
from tests.rig import Rig, tiny_engine

RIG = Rig(3, 1)
KEY = RIG.peers[0].identity


def coin_commitment(key: Identity, secret: bytes) -> bytes:
    """What the peer of this key and secret commits to in step 0."""
    engine = tiny_engine(BlobStore(1 << 22))
    machine = PeerMachine(key, secret, RIG.genesis, engine.dimension, 0.0)
    effect = next(each for each in machine.begin(0.0).effects if isinstance(each, ComputeGradient))
    out = machine.handle(Done(effect, Performer(engine)(effect)), 0.0)
    sealed = open_sealed(out.messages[0].raw)
    assert isinstance(sealed, Sealed)
    said = decode(GradientCommitment, sealed.envelope.payload)
    assert isinstance(said, GradientCommitment)
    return said.coin


def test_the_share_of_the_coin_is_that_of_the_secret() -> None:
    one, other = digest("one"), digest("other")
    assert coin_commitment(KEY, one) == coin_commitment(KEY, Digest(one))
    assert coin_commitment(KEY, one) != coin_commitment(KEY, other)


def test_the_share_of_the_coin_cannot_be_derived_from_the_key() -> None:
    place = RIG.genesis.place
    known = {mprng.share_commitment(KEY.peer, *mprng.share(seed, place)) for seed in (KEY.seed, KEY.peer)}
    assert coin_commitment(KEY, digest("one")) not in known
