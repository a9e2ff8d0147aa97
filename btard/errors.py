"""Every exception that btard raises on purpose.

    BtardError
    ├── ConfigurationError   the caller asked for something that cannot be; the text says what to change
    ├── IdentityError        a key file is missing, unreadable or corrupt
    ├── NetworkError         an address is wrong, a port is taken, a peer or a bootstrap cannot be reached
    ├── RunMismatchError     this peer and the run have different configurations; lists the fields
    ├── LedgerError          a ledger cannot be written, or does not verify; names the record
    └── HaltedError          the run cannot go on (no majority left, this peer lost its seat)

Another peer's misbehaviour is never an exception: it is a `btard.types.Fault` value. A broken
invariant of our own is an assertion.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class BtardError(Exception):
    """Base of all: its text is one sentence that says what to do, fit to be shown to a person."""


class ConfigurationError(BtardError):
    """The caller asked for something that cannot be; the text says what to change."""


class IdentityError(BtardError):
    """A key file is missing, unreadable or corrupt."""


class NetworkError(BtardError):
    """An address is wrong, a port is taken, or nobody answers there."""


class RunMismatchError(BtardError):
    """This peer and the run have different configurations; the text lists the fields."""


class LedgerError(BtardError):
    """A ledger cannot be written, or does not verify; the text names the record."""


class HaltedError(BtardError):
    """The run cannot go on for this peer: no majority is left, or it lost its seat."""


def cannot_write(path: Path, error: OSError, instead: str) -> str:
    """Return the sentence for a file or folder that cannot be written; `instead` is what to change."""
    why = os.strerror(error.errno) if error.errno else str(error)
    return f"cannot write {path} ({why}): choose another {instead}"


def first_error(error: ValidationError, fields: Iterable[str] = ()) -> str:
    """Return the first problem that pydantic found: "steps is 0: input should be greater than 0".

    `fields` are the names that are offered in place of an unknown one.
    """
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    where = where if where.isprintable() and len(where) <= 80 else reprlib.repr(where)
    if first["type"] == "extra_forbidden":
        names = ", ".join(fields)
        return f"there is no field {where}: {f'choose of {names}' if names else 'leave it out'}"
    if first["type"] == "missing":
        return f"{where} is missing: give it"
    value = f"{where} is {reprlib.repr(first['input'])}: " if where else ""
    return f"{value}{first['msg'][:1].lower()}{first['msg'][1:]}"
