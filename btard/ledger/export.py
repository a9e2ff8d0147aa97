"""A model to take home: the newest one that a run's ledger certifies, in a folder with a card."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from btard.errors import ConfigurationError, RunMismatchError, cannot_write
from btard.ledger.audit import AuditReport, Progress, audit
from btard.ledger.directory import CHECKPOINTS
from btard.ledger.reader import FILE_NAME, LedgerReader
from btard.protocol.record import STEP, Record
from btard.run.config import RunConfig
from btard.training.checkpoint_store import CheckpointStore
from btard.training.checkpoints import Checkpoint, save_model
from btard.training.start import build
from btard.training.state import trainable
from btard.training.task import Exporting, Task
from btard.types import Digest

CARD = "README.md"
DESCRIPTION = "run.json"
MODEL = "model.safetensors"


def export(
    run_dir: Path, directory: Path, recompute: int = 0, progress: Progress = lambda what, done, of: None
) -> AuditReport:
    """Verify the run in `run_dir`, `recompute` of its gradients included, and write its model to `directory`,
    which must not exist.

    The model is that of the newest checkpoint that the ledger certifies, buffers as the task builds them. One
    with `save_pretrained`, as those of Hugging Face, is written by that; a task may write it otherwise
    (`Exporting`). Beside it lie the run's description and a card. The directory appears whole or not at all.

    Raises LedgerError if the run does not hold, RunMismatchError if the task is another one here,
    ConfigurationError if there is no certified checkpoint or the directory cannot be written."""
    if directory.exists():
        raise ConfigurationError(f"{directory} exists: give a directory that does not exist yet")
    certified: dict[int, Digest] = {}

    def keep(record: Record) -> None:
        if record.kind == STEP:
            certified[record.step + 1] = Digest(record.model)

    report = audit(run_dir, recompute, progress, keep)
    with LedgerReader(run_dir / FILE_NAME) as reader:
        config, _ = reader.header.open()
    checkpoint = CheckpointStore(run_dir / CHECKPOINTS).newest(certified)
    if checkpoint is None:
        raise ConfigurationError(
            f"{run_dir / CHECKPOINTS} has no model that the ledger certifies: give the directory of a peer "
            "that kept checkpoints"
        )
    task = config.local_recipe().task
    model = _model(task, config, checkpoint)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=directory.parent, prefix=f"{directory.name}.") as temporary:
            part = Path(temporary) / directory.name
            part.mkdir()
            _write(model, task, checkpoint.step, part)
            (part / DESCRIPTION).write_bytes(config.to_bytes() + b"\n")
            (part / CARD).write_text(card(config, report, checkpoint), encoding="utf-8")
            os.replace(part, directory)
    except OSError as error:
        raise ConfigurationError(cannot_write(directory, error, "directory")) from error
    return report


def card(config: RunConfig, report: AuditReport, checkpoint: Checkpoint) -> str:
    """Return the card of a model, in Markdown: what it is of, and what was verified."""
    recomputed = f", and {len(report.recomputed)} gradients were computed again" if report.recomputed else ""
    lines = [
        f"# {config.task}, trained by a swarm",
        "",
        f"Trained by btard: {report.founders} peers, of which {report.members} hold a seat at the end, "
        f"{checkpoint.step} of {config.steps} steps.",
        "",
        "| | |",
        "|---|---|",
        f"| run | `{report.run.hex()}` |",
        f"| ledger head | `{report.head.hex()}` |",
        f"| digest of the model with its optimizer | `{checkpoint.model_digest.hex()}` |",
        f"| run closed | {'yes' if report.closed else 'no'} |",
        f"| aborted attempts, disputes | {report.aborts}, {report.disputes} |",
        "",
        f"All {report.records} records of the ledger held when this was written: {report.signatures} "
        f"signatures were verified, {report.coins} coins recomputed{recomputed}. Verify the run yourself: "
        "`btard audit RUN_DIR --recompute 8`.",
        "",
    ]
    if report.lost_seats:
        lines += ["Seats lost:", "", "| step | peer | how | why |", "|---|---|---|---|"]
        lines += [f"| {s.step} | `{s.peer.hex()[:16]}` | {s.kind} | {s.reason} |" for s in report.lost_seats]
    else:
        lines.append("Nobody lost a seat.")
    return "\n".join(lines) + "\n"


def _model(task: Task, config: RunConfig, checkpoint: Checkpoint) -> nn.Module:
    """Return the module with the checkpoint's parameters. Raises RunMismatchError if the task builds a module
    with others here."""
    model = build(task, config.model_seed)
    with torch.no_grad():
        for name, parameter in trainable(model, task.name):
            trained = checkpoint.state.tensors.get(f"model.{name}")
            if trained is None or trained.shape != parameter.shape:
                raise RunMismatchError(
                    f"task {config.task} builds a model with another {name} here: use the versions of task "
                    "and libraries that the run used"
                )
            parameter.copy_(trained)
    return model.eval()


def _write(model: nn.Module, task: Task, step: int, folder: Path) -> None:
    if isinstance(task, Exporting):
        task.export(model, folder)
    elif callable(save := getattr(model, "save_pretrained", None)):
        save(folder)
    else:
        tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        save_model(tensors, step, folder / MODEL)
