"""`btard export`: a folder with the certified model and a card, or one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from btard.cli import app
from btard.errors import ConfigurationError, LedgerError, RunMismatchError
from btard.ledger.export import export
from btard.ledger.reader import FILE_NAME
from btard.run.config import RunConfig
from btard.training import load_checkpoint
from tests.ledger.runs import PEERS, STEPS, copied, recorded


def test_the_exported_model_is_that_of_the_newest_certified_checkpoint(tmp_path: Path) -> None:
    run, header, entries = recorded()
    report = export(run, tmp_path / "model", recompute=3)
    assert len(report.recomputed) == 3
    checkpoint = load_checkpoint(run / "checkpoints" / f"step-{STEPS:06d}.safetensors")
    written = load_file(tmp_path / "model" / "model.safetensors")
    assert written
    for name, tensor in written.items():
        assert torch.equal(tensor, checkpoint.state.tensors[f"model.{name}"])
    described = RunConfig.from_bytes((tmp_path / "model" / "run.json").read_bytes().strip())
    assert described == header.open()[0]
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert described.digest.hex() in card
    assert entries[-1].record.digest.hex() in card
    assert f"{PEERS} peers, of which {PEERS - 1} hold a seat" in card
    assert "false scalars" in card
    assert "3 gradients were computed again" in card


def test_a_checkpoint_that_nobody_certified_is_passed_over(tmp_path: Path) -> None:
    run = copied(tmp_path)
    newest = run / "checkpoints" / f"step-{STEPS:06d}.safetensors"
    newest.write_bytes((run / "checkpoints" / "step-000002.safetensors").read_bytes())
    export(run, tmp_path / "model")
    assert f"{STEPS - 1} of {STEPS} steps" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


def test_a_run_without_certified_models_is_refused(tmp_path: Path) -> None:
    run = copied(tmp_path)
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(
        ConfigurationError, match="has no model that the ledger certifies: give the directory"
    ):
        export(run, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_ledger_that_does_not_hold_exports_nothing(tmp_path: Path) -> None:
    run = copied(tmp_path)
    raw = bytearray((run / FILE_NAME).read_bytes())
    raw[-40] ^= 1
    (run / FILE_NAME).write_bytes(raw)
    with pytest.raises(LedgerError):
        export(run, tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_directory_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="exists: give a directory that does not exist yet"):
        export(recorded()[0], tmp_path / "mine")
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "mine"


def test_a_task_that_builds_another_model_here_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("btard.ledger.export.build", lambda task, seed: torch.nn.Linear(1, 1))
    with pytest.raises(RunMismatchError, match="builds a model with another weight here: use the versions"):
        export(recorded()[0], tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_whose_place_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="model"):
        export(recorded()[0], tmp_path / "file" / "model")


def test_the_command_says_where_the_model_is(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", str(recorded()[0]), str(tmp_path / "model"), "--verify", "1"])
    assert done.exit_code == 0
    assert done.stdout == f"{tmp_path / 'model'}: the model of {STEPS} steps; all {STEPS + 2} records hold\n"


def test_the_command_ends_with_status_three_if_the_run_does_not_hold(tmp_path: Path) -> None:
    run = copied(tmp_path)
    raw = bytearray((run / FILE_NAME).read_bytes())
    raw[-40] ^= 1
    (run / FILE_NAME).write_bytes(raw)
    done = CliRunner().invoke(app, ["export", str(run), str(tmp_path / "model")])
    assert done.exit_code == 3
    assert done.stderr.startswith("btard: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_command_refuses_in_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", str(tmp_path), str(tmp_path / "model")])
    assert done.exit_code != 0
    assert isinstance(done.exception, ConfigurationError)
