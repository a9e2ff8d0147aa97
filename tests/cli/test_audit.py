"""`btard audit` on a real run: what it reports, and which record it names when something was changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from btard.cli import app
from btard.errors import ConfigurationError, LedgerError
from btard.ledger.audit import audit
from btard.ledger.header import LedgerHeader
from btard.ledger.reader import FILE_NAME
from btard.protocol.messages import SCALARS
from btard.protocol.record import BAN, Entry
from btard.training import load_checkpoint, save_checkpoint
from btard.types import short
from btard.wire import Sealed, open_sealed
from tests.cheats import owes_another_gradient
from tests.ledger.runs import PEERS, STEPS, copied, recorded, write


def rewritten(folder: Path, *entries: Entry, header: LedgerHeader | None = None) -> Path:
    """A run whose ledger was written anew, with right digests, by somebody who changed it."""
    run = copied(folder)
    write(run / FILE_NAME, header or recorded()[1], entries)
    return run


# ---------------------------------------------------------------- an honest run


def test_the_report_counts_what_was_verified_and_says_who_was_banned_and_why() -> None:
    folder, header, entries = recorded()
    report = audit(folder)
    members = header.open()[1].members
    (ban,) = report.bans
    assert (ban.peer, ban.step, ban.index, ban.kind, ban.reason) == (members[1], 1, 1, BAN, "false scalars")
    assert (report.records, report.steps, report.aborts, report.disputes) == (STEPS + 2, STEPS, 1, 0)
    assert (report.founders, report.members, report.misses) == (PEERS, PEERS - 1, 0)
    assert report.coins == STEPS + 2
    assert report.projections == 2 * (2 * PEERS**2 + 3 * (PEERS - 1) ** 2)
    assert report.signatures == sum(len(e.transcript) + len(e.certificate) for e in entries)
    assert report.head == entries[-1].record.digest
    assert report.closed


def test_all_gradients_of_all_steps_are_what_their_owners_published() -> None:
    done: list[tuple[str, int, int]] = []
    report = audit(recorded()[0], 1000, lambda what, at, of: done.append((what, at, of)))
    assert len(report.recomputed) == PEERS + 3 * (PEERS - 1)
    assert report.to_recompute == 1000
    for what in ("ledger", "gradients"):
        mine = [(at, of) for name, at, of in done if name == what]
        assert mine == sorted(mine)
        assert mine[-1][0] == mine[-1][1]


def test_the_sample_is_drawn_from_the_head_and_is_the_same_for_every_auditor() -> None:
    first, second = audit(recorded()[0], 3), audit(recorded()[0], 3)
    assert len(set(first.recomputed)) == 3
    assert first == second


def test_the_command_prints_tables_and_a_verdict() -> None:
    folder, _, entries = recorded()
    result = CliRunner().invoke(app, ["audit", str(folder), "--recompute", "2"])
    assert result.exit_code == 0, result.exception
    assert "4 steps, 1 aborted attempts" in result.stdout
    assert "2 of 2 asked for" in result.stdout
    assert "false scalars" in result.stdout
    assert result.stdout.endswith(
        f"All 6 records hold. The ledger ends at {entries[-1].record.digest.hex()}.\n"
    )


def test_the_verdict_is_also_one_line_of_json() -> None:
    folder, _, entries = recorded()
    result = CliRunner().invoke(app, ["audit", str(folder), "--json"])
    (line,) = result.stdout.splitlines()
    verdict = json.loads(line)
    assert (verdict["holds"], verdict["records"]) == (True, len(entries))
    assert verdict["lost_seats"][0]["reason"] == "false scalars"


# ---------------------------------------------------------------- a run that was changed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_fails_the_audit_by_the_name_of_its_record(
    tmp_path: Path, data: st.DataObject
) -> None:
    whole = bytearray((recorded()[0] / FILE_NAME).read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / FILE_NAME).write_bytes(whole)
    with pytest.raises(LedgerError, match=r"^(the header|record \d+) of "):
        audit(tmp_path)


def test_a_flipped_bit_is_one_sentence_and_status_3(tmp_path: Path) -> None:
    run = copied(tmp_path)
    whole = bytearray((run / FILE_NAME).read_bytes())
    whole[-1] ^= 1
    (run / FILE_NAME).write_bytes(whole)
    result = CliRunner().invoke(app, ["audit", str(run)])
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "btard: record 5 of the ledger does not hold: its bytes were altered\n"


def changed(index: int, **fields: object) -> list[Entry]:
    """The run's entries, one record of which says something else."""
    record = replace(recorded()[2][index].record, **fields)  # type: ignore[arg-type]
    return with_messages(index, record=record)


def with_messages(index: int, **fields: object) -> list[Entry]:
    """The run's entries, one of which has other fields."""
    entries = list(recorded()[2])
    entries[index] = replace(entries[index], **fields)  # type: ignore[arg-type]
    return entries


def with_false_scalars() -> list[Entry]:
    """Other scalars of one peer, in the very bytes that it signed."""

    def is_scalars(raw: bytes) -> bool:
        sealed = open_sealed(raw)
        return isinstance(sealed, Sealed) and sealed.envelope.phase == SCALARS

    said = list(recorded()[2][3].transcript)
    at = next(k for k, raw in enumerate(said) if is_scalars(raw))
    body = bytearray(said[at])
    body[len(body) // 2] ^= 1
    said[at] = bytes(body)
    return with_messages(3, transcript=tuple(said))


def test_forgeries_with_right_digests_are_found_by_what_they_say(tmp_path: Path) -> None:
    entries = list(recorded()[2])
    vote_dropped = entries[1].transcript[:-1]
    forgeries = {
        "another coin": (2, changed(2, coin=bytes(32))),
        "a ban removed": (1, changed(1, removals=())),
        "a record removed": (1, [entries[0], *entries[2:]]),
        "records exchanged": (2, [*entries[:2], entries[3], entries[2], entries[4]]),
        "a vote dropped": (1, with_messages(1, transcript=vote_dropped)),
        "scalars altered": (3, with_false_scalars()),
        "half of the signatures": (0, with_messages(0, certificate=entries[0].certificate[:2])),
        "another model": (4, changed(4, model=bytes(32))),
    }
    for what, (index, forged) in forgeries.items():
        run = rewritten(tmp_path / what, *forged)
        with pytest.raises(LedgerError, match=f"^record {index} of the ledger does not hold: "):
            audit(run)


def test_another_roster_or_configuration_beneath_the_records_fails_at_the_first_of_them(
    tmp_path: Path,
) -> None:
    _, header, entries = recorded()
    config, genesis = header.open()
    members = (*genesis.members[:-1], type(genesis.members[0])(b"\xff" * 32))
    easier = config.model_copy(update={"protocol": replace(config.protocol, tau=9.0)})
    for other, why in (
        (LedgerHeader.of(config, members), "it does not follow"),
        (LedgerHeader.of(easier, genesis.members), "it is of another run"),
    ):
        run = rewritten(tmp_path / why, *entries, header=other)
        with pytest.raises(LedgerError, match=f"^record 0 of the ledger does not hold: {why}"):
            audit(run)


def test_a_checkpoint_of_another_model_or_aggregate_is_not_taken_for_the_run_s(tmp_path: Path) -> None:
    run = copied(tmp_path)
    path = run / "checkpoints" / "step-000002.safetensors"
    checkpoint = load_checkpoint(path)
    assert checkpoint.aggregate is not None
    tensors = {name: tensor + 1 for name, tensor in checkpoint.state.tensors.items()}
    for other, why in (
        (
            replace(checkpoint, state=replace(checkpoint.state, tensors=tensors)),
            r"step-000002.safetensors is not the model that the ledger certifies",
        ),
        (
            replace(checkpoint, aggregate=checkpoint.aggregate + 1),
            r"record 2 .* the aggregate of step 1 is another one",
        ),
    ):
        save_checkpoint(other, path)
        with pytest.raises(LedgerError, match=why):
            audit(run, 1000)


def test_a_run_without_checkpoints_says_what_recomputing_takes(tmp_path: Path) -> None:
    run = copied(tmp_path)
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(ConfigurationError, match="checkpoints of two successive steps"):
        audit(run, 1)


def test_a_gradient_that_no_validator_drew_is_found_by_recomputing_it() -> None:
    folder, header, _ = recorded(owes_another_gradient, validators=0)
    cheat = header.members[1]
    assert audit(folder).bans == ()
    with pytest.raises(
        LedgerError, match=rf"record 3 .* gradient that peer {short(cheat)} published in step 3"
    ):
        audit(folder, 1000)


def test_a_directory_without_a_ledger_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no ledger .*: give the directory of a run"):
        audit(tmp_path)
