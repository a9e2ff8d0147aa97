"""The checkers that know everything are shown the bugs that they are for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from btard.aggregators import Mean
from btard.machine import Actions, ComputeGradient, Project
from btard.protocol import accusation, butterfly, examination, mprng, peer, verification
from btard.protocol.constants import ProtocolConfig
from btard.protocol.record import MISS, Removal
from btard.protocol.state import RosterState
from btard.simulation import Byzantine, Uplink, Weather
from btard.training import engine
from btard.wire import Rejection, Sealed, read_claim
from tests.simulation.plants import edit_records, plant, swarm, violated


def no(*_: object) -> bool:
    return False


def cheats(kind: str, *peers: int) -> tuple[Byzantine, ...]:
    return tuple(Byzantine(index, kind) for index in peers)


def test_validity_notices_an_aggregate_whose_zero_sum_nobody_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "aggregate_is_wrong", no)
    assert violated(swarm(byzantine=cheats("wrong_aggregate", 2))) == "validity"


def test_validity_notices_honest_aggregators_that_do_not_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "aggregate_is_wrong", no)
    monkeypatch.setattr(engine, "CenteredClip", lambda tau: Mean())
    assert violated(swarm(config=ProtocolConfig(tau=0.05, gradient_s=20.0))) == "validity"


def test_validity_notices_rows_that_no_aggregator_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination.verification, "row_is_false", no)
    monkeypatch.setattr(verification, "aggregate_is_wrong", no)
    world = swarm(byzantine=cheats("misreported_projection(shift=0.01)", 2))
    assert violated(world) == "validity"


def test_validity_notices_gradients_at_another_model() -> None:
    world = swarm()
    host = world.hosts[1]
    perform = host.perform

    def wrong(effect: Any) -> Any:
        return perform(
            replace(effect, seed=bytes(32)) if isinstance(effect, ComputeGradient | Project) else effect
        )

    host.perform = wrong
    assert violated(world, "validity") == "validity"


def test_detection_notices_validators_that_never_accuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "gradient_is_false", no)
    world = swarm(config=ProtocolConfig(validators=2, gradient_s=20.0), byzantine=cheats("sign_flip", 0, 4))
    assert violated(world) == "detection"


def test_detection_notices_fingerprints_that_nobody_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accusation, "fingerprints_disagree", no, raising=False)
    monkeypatch.setattr(verification, "fingerprints_disagree", no)
    world = swarm(
        config=ProtocolConfig(validators=2, gradient_s=20.0),
        byzantine=cheats("lazy_validator", 0, 4),
        steps=5,
    )
    assert violated(world) == "detection"


def test_detection_notices_reveals_that_nobody_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mprng, "false_reveals", lambda *_: ())
    assert violated(swarm(byzantine=cheats("false_reveal", 2))) == "detection"


def test_detection_notices_accusations_without_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accusation, "tally", lambda cases, votes: ({}, {}))
    assert violated(swarm(byzantine=cheats("false_accusation", 2))) == "detection"


def test_detection_notices_a_seat_that_silence_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RosterState, "miss", lambda self, peer, reason: Removal(peer, MISS, reason))
    monkeypatch.setattr(RosterState, "exhausted", lambda self, seen: ())
    assert violated(swarm(byzantine=cheats("silent", 2), steps=5)) == "detection"


def test_unforgeability_notices_signatures_that_nobody_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(raw: bytes) -> Sealed | Rejection:
        claim = read_claim(raw)
        return claim if isinstance(claim, Rejection) else Sealed(claim.envelope, raw, claim.digest)

    world = swarm(weather=Weather(forged=0.5), byzantine=cheats("false_offer", 2))
    monkeypatch.setattr(peer, "open_sealed", trusting)
    assert violated(world, "unforgeability") == "unforgeability"


def test_forgeries_alone_change_nothing() -> None:
    outcome = swarm(weather=Weather(forged=0.5), byzantine=cheats("false_offer", 2)).run()
    assert outcome.violation is None
    assert outcome.coverage["forgery"] > 20


def test_audit_notices_a_ledger_without_its_certificates() -> None:
    world = swarm()
    plant(
        world.hosts[0],
        edit_records(lambda recorded: replace(recorded, entry=replace(recorded.entry, certificate=()))),
    )
    assert violated(world, "audit") == "audit"


def test_accounts_notices_an_attempt_that_nobody_pays_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(butterfly, "complaints", lambda commitments: ((0, 1),))
    assert violated(swarm()) == "accounts"


def test_accounts_notices_attempts_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world = swarm(byzantine=cheats("withheld_part", 0))
    monkeypatch.setattr(RosterState, "account", lambda self, peer, more=(): 0)
    monkeypatch.setattr(RosterState, "counterparties", lambda self, peer, more=(): set())
    monkeypatch.setattr(RosterState, "_complained", {})
    assert violated(world, "accounts") == "accounts"


def test_room_notices_a_store_that_is_too_small() -> None:
    world = swarm()
    world.hosts[1].driver.store.resize(1)
    assert violated(world) == "room"


def test_promptness_notices_uplinks_that_break_the_promise() -> None:
    world = swarm(uplinks=(Uplink(control_bytes_s=500.0, blob_bytes_s=1e9),) * 5)
    assert violated(world, "promptness") == "promptness"


def test_promptness_notices_a_flood_that_keeps_the_processor_busy() -> None:
    world = swarm()

    def flood(out: Actions) -> None:
        out.messages += out.messages * 2000

    plant(world.hosts[2], flood)
    assert violated(world, "promptness") == "promptness"
