"""Why bytes from the network were refused: a value that is counted and attributed, never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Reason(str, Enum):
    """A stable word for each way to refuse a message. `str(reason)` is the word itself."""

    OVERSIZE = "oversize"
    MALFORMED = "malformed"
    UNKNOWN_TAG = "unknown_tag"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    EXTRA_FIELD = "extra_field"
    OUT_OF_BOUNDS = "out_of_bounds"
    NON_CANONICAL = "non_canonical"
    BAD_SIGNATURE = "bad_signature"
    # Below: for whoever receives an authentic message and knows the run.
    WRONG_RUN = "wrong_run"
    WRONG_ROSTER = "wrong_roster"
    WRONG_STEP = "wrong_step"
    WRONG_ATTEMPT = "wrong_attempt"
    WRONG_PHASE = "wrong_phase"
    WRONG_SENDER = "wrong_sender"
    NOT_A_MEMBER = "not_a_member"
    DUPLICATE = "duplicate"
    INCONSISTENT = "inconsistent"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Rejection:
    """`detail` says for people where it failed; it holds names and numbers of ours, no hostile text."""

    reason: Reason
    detail: str = ""
