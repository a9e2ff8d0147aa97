"""A tokenised corpus as a file: written once, mapped into memory by every peer of a machine.

The file is safetensors: the six arrays of a `Corpus`, and name, vocabulary and digests in its metadata.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt

from btard.data.text.corpus import Corpus
from btard.data.text.tokenised import TokenisedText
from btard.data.text.vocabulary import Vocabulary
from btard.errors import ConfigurationError

FORMAT = "btard text 1"

HEADER_BYTES_MAX = 1 << 16

_ARRAYS = ("tokens", "sentence_ends", "document_ends")
_SPLITS = ("train", "held_out")
_KINDS = {"U16": "<u2", "U32": "<u4", "I64": "<i8"}
_NUMBERS = ("size", "pad", "cls", "sep", "mask")


def write_prepared(corpus: Corpus, path: Path) -> None:
    """Write a corpus; the file appears whole or not at all. Raises ConfigurationError if it cannot."""
    from safetensors.numpy import save

    arrays = {
        f"{split}.{name}": np.ascontiguousarray(getattr(getattr(corpus, split), name))
        for split in _SPLITS
        for name in _ARRAYS
    }
    vocabulary = {name: str(getattr(corpus.vocabulary, name)) for name in _NUMBERS}
    facts = {"format": FORMAT, "name": corpus.name, **corpus.fingerprints(), **vocabulary}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(save(arrays, metadata=facts))
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def read_prepared(path: Path) -> Corpus:
    """Return the corpus in a file, its arrays mapped. All bytes are read once, to compare their digest.

    Raises ConfigurationError if the file is missing, damaged or of another kind."""
    try:
        facts, arrays = _read(path)
        vocabulary = Vocabulary(**{name: int(facts[name]) for name in _NUMBERS}, digest=facts["vocabulary"])
        train, held_out = (
            TokenisedText(*(arrays[f"{split}.{name}"] for name in _ARRAYS)) for split in _SPLITS
        )
        corpus = Corpus(facts["name"], train, held_out, vocabulary, facts["text"])
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, RecursionError, ConfigurationError) as error:
        raise ConfigurationError(f"{path} is not a prepared text: run btard prepare-data again") from error
    if corpus.tokens_digest != facts["tokens"]:
        raise ConfigurationError(f"{path} is damaged, its digest differs: run btard prepare-data again")
    return corpus


def _read(path: Path) -> tuple[dict[str, str], dict[str, npt.NDArray[Any]]]:
    """Return metadata and mapped arrays. Raises OSError, KeyError, TypeError or ValueError."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > HEADER_BYTES_MAX:
            raise ValueError("the header is too long")
        header = json.loads(file.read(size))
    facts = header.pop("__metadata__")
    if facts["format"] != FORMAT:
        raise ValueError("another format")
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        kind = np.dtype(_KINDS[entry["dtype"]])
        arrays[name] = np.memmap(path, kind, "r", 8 + size + start, ((end - start) // kind.itemsize,))
    return facts, arrays
