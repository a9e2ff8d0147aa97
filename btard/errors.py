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
