"""Targets of documents and files that others wrote: descriptions, ledgers, events, checkpoints, images."""

from __future__ import annotations

import atexit
import io
import json
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from pydantic import ValidationError

from btard.crypto import Identity
from btard.data.png import decode_png
from btard.errors import ConfigurationError, IdentityError, LedgerError
from btard.ledger.audit import audit
from btard.ledger.header import LedgerHeader
from btard.ledger.reader import FILE_NAME, FIRST_LINK, MAGIC, LedgerReader, encode_entry, encode_frame
from btard.protocol.ledger import replay
from btard.run.config import RunConfig
from btard.run.events import AttemptEnded, Ended, FaultSeen, InPhase, Norms, Noted, Removal, read_event
from btard.training.checkpoints import FORMAT, load_checkpoint
from tests.fuzz.mutation import mutate_bytes, mutate_json
from tests.fuzz.target import Target
from tests.ledger.runs import recorded

SHAPE = (1, 5, 4)
"""Channels, height and width of the images that are asked for."""


@cache
def folder() -> Path:
    """A folder for one file of each target, in memory where the system has that."""
    memory = Path("/dev/shm")
    made = Path(mkdtemp(prefix="btard-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, made)
    return made


def written(name: str, raw: bytes) -> Path:
    """The file of a target with this content, private as a key file must be."""
    path = folder() / name
    path.parent.mkdir(exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(raw)
    return path


# ---------------------------------------------------------------- descriptions


def read_config(raw: bytes) -> object:
    """A description of a run: what is accepted has one form, a digest, and says how it differs."""
    config = RunConfig.from_bytes(raw)
    assert config.to_bytes() == raw
    config.differences(recorded()[1].open()[0])
    return config


def read_genesis(raw: bytes) -> object:
    """The first frame of a ledger, and the genesis document of a bootstrap."""
    header = LedgerHeader.from_bytes(raw)
    assert header.to_bytes() == raw
    return header.open()


def _headers() -> list[bytes]:
    header = recorded()[1]
    return [header.to_bytes(), LedgerHeader(header.configuration, header.members).to_bytes()]


# ---------------------------------------------------------------- ledgers


def read_ledger(raw: bytes) -> object:
    """A ledger whose bytes were altered."""
    with LedgerReader(written("ledger", raw)) as reader:
        return list(reader) or None


def read_entry(raw: bytes) -> object:
    """An entry that a forger wrote, digests and all, read and replayed as the first of its run."""
    head, link = encode_frame(FIRST_LINK, recorded()[1].to_bytes())
    with LedgerReader(written("entry", MAGIC + head + encode_frame(link, raw)[0])) as reader:
        _, genesis = _opened()
        return list(replay(genesis, reader))


def read_audit(raw: bytes) -> object:
    """The same, audited as a whole run with the true entries after it."""
    _, header, entries = recorded()
    frame, link = encode_frame(FIRST_LINK, header.to_bytes())
    frames = [MAGIC + frame]
    for payload in (raw, *(encode_entry(entry) for entry in entries[1:])):
        frame, link = encode_frame(link, payload)
        frames.append(frame)
    written(f"run/{FILE_NAME}", b"".join(frames))
    return audit(folder() / "run")


@cache
def _opened() -> tuple[RunConfig, object]:
    return recorded()[1].open()


def _entries() -> list[bytes]:
    return [encode_entry(entry) for entry in recorded()[2]]


# ---------------------------------------------------------------- the rest


def read_line(raw: bytes) -> object:
    """A line of a child process."""
    event = read_event(raw.decode(errors="replace"))
    assert read_event(event.to_json()).event == event.event
    return event


def _lines() -> list[bytes]:
    removal = Removal(peer="ab", kind="ban", reason="silent")
    norms = Norms(gradient=None, aggregate=0.5, distance=1.0, median_distance=1.0, tau=0.1, clipped=0.5)
    phase = InPhase(
        step=1, attempt=0, phase="reveal", in_dispute=False, waited_s=1.5, work="update", share=0.5,
        missing=("ab",),
    )  # fmt: skip
    ended = AttemptEnded(
        index=1, step=1, attempt=0, kind="step", disputed=False, roster=4, ledger="00", model="11",
        metrics={"loss": 1.0}, removals=(removal,), time=1.5, training_loss=2.0, norms=norms,
        phases_s={"gradient": 0.5}, work_s={"update": 0.25}, deadlines=("reveal",), dispute_s=1.0,
    )  # fmt: skip
    last = Ended(
        peer="ab", outcome="finished", reason="done", steps=2, model="aa", ledger="bb", blob_bytes=1,
        control_bytes=2, parameters=3, faults=0, time=None,
    )  # fmt: skip
    others = (Noted(text="a sentence", time=1.0), FaultSeen(peer="ab", kind="flood", detail="x", time=2.0))
    return [json.dumps(json.loads(each.to_json())).encode() for each in (ended, phase, last, *others)]


def read_checkpoint(raw: bytes) -> object:
    """A checkpoint of a stranger, up to the digest by which it is trusted."""
    checkpoint = load_checkpoint(written("checkpoint", raw))
    assert len(checkpoint.model_digest) == 32
    return checkpoint


def read_checkpoints(raw: bytes) -> object:
    """The same file in the folder of an audited run."""
    written(f"checkpoints/{FILE_NAME}", b"")
    return _checkpoint_steps(written("checkpoints/step.safetensors", raw).parent)


def _checkpoint_steps(path: Path) -> object:
    from btard.training.checkpoint_store import CheckpointStore

    return CheckpointStore(path).files()


def _checkpoint_files() -> list[bytes]:
    paths = sorted((recorded()[0] / "checkpoints").glob("*.safetensors"))
    return [*(path.read_bytes() for path in paths[:2]), *map(_strange_checkpoint, ("1", "9" * 5000))]


def _strange_checkpoint(step: str) -> bytes:
    """A checkpoint of one tensor, whose type numpy lacks."""
    tensors = {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    head = json.dumps({"__metadata__": {"format": FORMAT, "step": step}, **tensors}).encode()
    return len(head).to_bytes(8, "little") + head + bytes(4)


def read_key(raw: bytes) -> object:
    return Identity.load(written("key", raw))


def _key_file() -> list[bytes]:
    path = folder() / "made.key"
    path.unlink(missing_ok=True)
    Identity.load_or_create(path, lambda count: bytes(range(count)))
    return [path.read_bytes()]


def read_png(raw: bytes) -> object:
    pixels = decode_png(raw, SHAPE)
    assert pixels.shape == SHAPE
    return pixels


def _images() -> list[bytes]:
    from PIL import Image

    found = []
    for image in (np.arange(20, dtype=np.uint8).reshape(5, 4), np.zeros((5, 4, 3), np.uint8)):
        file = io.BytesIO()
        Image.fromarray(image).save(file, format="PNG")
        found.append(file.getvalue())
    return found


def _configs() -> list[bytes]:
    return [recorded()[1].configuration]


def _ledgers() -> list[bytes]:
    return [(recorded()[0] / FILE_NAME).read_bytes()]


LEDGER: tuple[type[Exception], ...] = (LedgerError, ConfigurationError)

TARGETS: tuple[Target, ...] = (
    Target("config", _configs, read_config, (ConfigurationError,), mutate=mutate_json),
    Target("genesis", _headers, read_genesis, LEDGER),
    Target("ledger", _ledgers, read_ledger, LEDGER, mutate=mutate_bytes),
    Target("entry", _entries, read_entry, LEDGER),
    Target("audit", _entries, read_audit, LEDGER, counts_as=20),
    Target("event", _lines, read_line, (ValidationError,), mutate=mutate_json),
    Target("checkpoint", _checkpoint_files, read_checkpoint, (ConfigurationError,), mutate=mutate_bytes),
    Target("checkpoints", _checkpoint_files, read_checkpoints, (ConfigurationError,), mutate=mutate_bytes),
    Target("key", _key_file, read_key, (IdentityError,), mutate=mutate_bytes),
    Target("png", _images, read_png, (ValueError,), mutate=mutate_bytes),
)
