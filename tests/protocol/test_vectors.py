"""The stored messages, sets and records that every implementation and every later version must reproduce."""

from __future__ import annotations

import json
from typing import Any

import pytest

from btard.crypto import Identity, digest
from btard.protocol import messages
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import CALL, ENDORSE, PAYLOADS, REQUESTS, VIEW, Call, Endorse, View
from btard.protocol.record import Record
from btard.protocol.state import RosterState, gradient_seed, roster_digest
from btard.types import Digest, PeerId
from btard.wire import Envelope, Sealed, decode, encode, open_sealed, seal
from protocols.vectors import make
from protocols.vectors.make import as_json

PHASES: dict[str, Any] = json.loads((make.FOLDER / "phases.json").read_text())
RECORDS: dict[str, Any] = json.loads((make.FOLDER / "records.json").read_text())
SIGNED = {**PAYLOADS, CALL: Call, VIEW: View, ENDORSE: Endorse}


def named(case: dict[str, Any]) -> str:
    return str(case.get("phase") or case.get("kind") or case["name"])


@pytest.mark.parametrize("case", PHASES["signed"], ids=named)
def test_what_is_signed_in_a_phase_is_what_the_vectors_say(case: dict[str, Any]) -> None:
    payload, place = bytes.fromhex(case["payload"]), PHASES["place"]
    said = decode(SIGNED[case["phase"]], payload)
    assert (type(said).__name__, as_json(said)) == (case["kind"], case["value"])
    assert encode(said) == payload
    run, roster, sender = (bytes.fromhex(place[name]) for name in ("run", "roster", "sender"))
    envelope = Envelope(run, place["step"], place["attempt"], case["phase"], roster, PeerId(sender), payload)
    raw = seal(Identity.from_seed(bytes.fromhex(place["seed"])), envelope)
    opened = open_sealed(raw)
    assert isinstance(opened, Sealed)
    assert (raw.hex(), opened.digest.hex()) == (case["sealed"], case["digest"])


@pytest.mark.parametrize("case", PHASES["requests"], ids=named)
def test_requests_are_encoded_as_the_vectors_say(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["encoding"])
    asked: Any = decode(REQUESTS, raw)
    assert (type(asked).__name__, as_json(asked)) == (case["kind"], case["value"])
    assert encode(asked) == raw


@pytest.mark.parametrize("case", PHASES["sets"], ids=named)
def test_the_digest_of_a_phase_set_is_that_of_the_vectors(case: dict[str, Any]) -> None:
    opened = [open_sealed(bytes.fromhex(raw)) for raw in case["messages"]]
    names = [sealed.digest for sealed in opened if isinstance(sealed, Sealed)]
    assert digest("phase set", case["phase"].encode(), *names).hex() == case["digest"]


@pytest.mark.parametrize("case", RECORDS["records"], ids=named)
def test_records_and_their_digests_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["encoding"])
    record = decode(Record, raw)
    assert isinstance(record, Record)
    assert as_json(record) == case["value"]
    assert encode(record) == raw
    assert record.digest.hex() == digest("record", raw).hex() == case["digest"]


def test_a_ledger_begins_where_the_vectors_say() -> None:
    genesis = RECORDS["genesis"]
    members = [PeerId(bytes.fromhex(peer)) for peer in genesis["members"]]
    run = Digest(bytes.fromhex(genesis["run"]))
    state = RosterState.genesis(run, ProtocolConfig(), members, steps=1)
    assert (state.coin.hex(), state.head.hex()) == (genesis["coin"], genesis["head"])
    assert roster_digest(state.members).hex() == genesis["roster"]
    assert [gradient_seed(state.coin, peer).hex() for peer in members] == genesis["gradient_seeds"]


def test_every_kind_of_message_has_a_vector() -> None:
    covered = {case["kind"] for case in (*PHASES["signed"], *PHASES["requests"])}
    assert covered == {kind.__name__ for kind in (*SIGNED.values(), *REQUESTS)}
    assert {case["phase"] for case in PHASES["signed"]} == {*messages.PHASES, CALL, VIEW, ENDORSE}


def test_the_command_that_makes_the_vectors_makes_those_that_are_stored() -> None:
    assert {path: path.read_text(encoding="utf-8") for path in make.files()} == make.files()
