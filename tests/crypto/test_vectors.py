"""The stored vectors that every implementation and every later version must reproduce."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from btard.crypto import Draw, Identity, commit, digest, directions, keystream, opens, verify
from btard.types import PeerId
from btard.wire import Envelope, Sealed, open_sealed, seal

VECTORS = json.loads((Path(__file__).parents[2] / "protocols" / "vectors" / "crypto.json").read_text())


def cases(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", VECTORS[kind])


@cases("digest")
def test_digests_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    assert digest(case["domain"], *map(bytes.fromhex, case["parts"])).hex() == case["digest"]


@cases("commitment")
def test_commitments_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    value, salt = bytes.fromhex(case["value"]), bytes.fromhex(case["salt"])
    assert commit(case["domain"], value, salt).hex() == case["commitment"]
    assert opens(case["domain"], bytes.fromhex(case["commitment"]), value, salt)


@cases("keystream")
def test_keystreams_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    assert keystream(bytes.fromhex(case["seed"]), case["domain"], case["length"]).hex() == case["stream"]


@cases("draw")
def test_draws_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    draw = Draw(bytes.fromhex(case["seed"]), case["domain"])
    assert list(draw.shuffle(range(case["shuffle_of"]))) == case["shuffle"]
    assert [draw.below(bound) for bound in case["then_below"]] == case["then"]


@cases("directions")
def test_directions_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    rows = directions(
        bytes.fromhex(case["seed"]), case["domain"], case["count"], case["start"], case["length"]
    )
    assert rows.tolist() == case["rows"]


@cases("identity")
def test_keys_and_signatures_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    identity = Identity.from_seed(bytes.fromhex(case["seed"]))
    message, signature = bytes.fromhex(case["message"]), bytes.fromhex(case["signature"])
    assert identity.peer.hex() == case["peer"]
    assert identity.sign(message) == signature
    assert verify(identity.peer, message, signature)


@cases("envelope")
def test_sealed_envelopes_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    identity = Identity.from_seed(bytes.fromhex(case["seed"]))
    envelope = Envelope(
        run=bytes.fromhex(case["run"]),
        step=case["step"],
        attempt=case["attempt"],
        phase=case["phase"],
        roster=bytes.fromhex(case["roster"]),
        sender=PeerId(identity.peer),
        payload=bytes.fromhex(case["payload"]),
    )
    raw = seal(identity, envelope)
    opened = open_sealed(raw)
    assert raw.hex() == case["sealed"]
    assert isinstance(opened, Sealed)
    assert opened.envelope == envelope
    assert opened.digest.hex() == case["digest"]
