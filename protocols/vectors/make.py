"""Writes `protocols/vectors/phases.json` and `records.json`: run `python protocols/vectors/make.py`.

The values are of one made-up attempt of three peers; what a commitment commits to is what its opening opens.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from btard.crypto import Identity, digest
from btard.protocol import broadcast, messages, mprng
from btard.protocol.accusation import fingerprint_commitment
from btard.protocol.agreed import Seating
from btard.protocol.agreement import Agreement
from btard.protocol.broadcast import Board, Post
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import AGGREGATE, CALL, ENDORSE, GRADIENT, PAYLOADS, VIEW
from btard.protocol.record import (
    ABORT,
    BAN,
    CLOSE,
    LEAVE,
    MISS,
    NOTHING,
    STEP,
    Cause,
    Complaint,
    Record,
    Removal,
)
from btard.protocol.rules import Ending, make_record
from btard.protocol.state import RosterState, gradient_seed, roster_digest
from btard.types import Digest
from btard.wire import Sealed, encode

FOLDER = Path(__file__).parent
COMMAND = "python protocols/vectors/make.py"

RUN = digest("run", b"vectors")
SEEDS = tuple(bytes([k]) * 32 for k in (1, 2, 3))
IDENTITIES = sorted(map(Identity.from_seed, SEEDS), key=lambda identity: identity.peer)
PEERS = tuple(identity.peer for identity in IDENTITIES)
STATE = RosterState.genesis(RUN, ProtocolConfig(), PEERS, steps=10)
SEATING = Seating(STATE)
FINGERPRINT = messages.PartScalars((0.5, -1.25, 3.0, -0.0), 2.5, 0.0, 0.0)
SALT = digest("vectors", b"salt")


def blob(name: str) -> Digest:
    return digest("blob", name.encode())


def as_json(value: Any) -> Any:
    """Bytes in hexadecimal, tuples as lists, messages as their fields by name."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [as_json(each) for each in value]
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    return value


def sign(seat: int, phase: str, payload: Any) -> Sealed:
    return broadcast.sign(IDENTITIES[seat], SEATING, phase, encode(payload))


def commitment(seat: int) -> messages.GradientCommitment:
    parts = tuple(blob(f"part {part} of {seat}") for part in range(3))
    coin = mprng.share_commitment(PEERS[seat], *mprng.share(SEEDS[seat], STATE.place))
    return messages.GradientCommitment(STATE.head, parts, coin, (), ())


def full(phase: str, payloads: Sequence[Any]) -> Board:
    """A board with a message of each seat in `phase`."""
    board = Board(SEATING)
    for seat, payload in enumerate(payloads):
        post = board.read(sign(seat, phase, payload))
        assert isinstance(post, Post)
        board.add(post)
    return board


COMMITTED = full(GRADIENT, [commitment(seat) for seat in range(3)])
SET = COMMITTED.digest(GRADIENT)
"""What every message after GRADIENT holds here."""


def payloads() -> list[tuple[str, Any]]:
    """Phase and payload: each kind of message that is signed, with an empty form if it has one."""
    share, salt = mprng.share(SEEDS[0], STATE.place)
    scalars = tuple(
        messages.PartScalars((0.1 * part, -2.0, 1e-30, 4.0), 1.5 + part, 1e9, 0.25) for part in range(3)
    )
    promise = fingerprint_commitment(PEERS[0], FINGERPRINT, SALT)
    accused = (messages.Accusation("gradient", 2, 0), messages.Accusation("row", 1, 2))
    reported = messages.GradientCommitment(
        STATE.head, commitment(0).parts, commitment(0).coin, PEERS[1:2], PEERS[2:]
    )
    trail_view = messages.View(1, (GRADIENT,), COMMITTED.raws((GRADIENT,)))
    record = records()["disputed"]
    return [
        ("gradient", commitment(0)),
        ("gradient", reported),
        ("aggregate", messages.AggregateCommitment(SET, blob("aggregate 0"), ())),
        ("aggregate", messages.AggregateCommitment(SET, NOTHING, (1, 2))),
        ("reveal", messages.CoinReveal(SET, share, salt, (0, 1, 2))),
        ("scalars", messages.PublishedScalars(SET, scalars, promise)),
        ("accuse", messages.Accusations(SET, (), None, NOTHING, ())),
        ("accuse", messages.Accusations(SET, accused, FINGERPRINT, SALT, (1,))),
        ("verdict", messages.Verdicts(SET, (messages.Vote((2,), ()), messages.Vote((), (0, 1))))),
        ("record", messages.RecordVote(SET, records()["step"].digest)),
        (CALL, messages.Call(0, GRADIENT)),
        (VIEW, messages.View(0, (), ())),
        (VIEW, trail_view),
        (ENDORSE, messages.Endorse(encode(record))),
    ]


def relayed() -> messages.ViewRelay:
    """Seat 0's view of the first dispute, relayed and signed by seat 1."""
    view = sign(0, VIEW, messages.View(0, (), ()))
    place = digest("dispute", STATE.head, (0).to_bytes(4, "little"))
    relay = Agreement(IDENTITIES[1], PEERS, 1, place, 1.0, 0.0).accept(
        0, view, messages.ViewRelay(STATE.step, STATE.attempt, 0, view.raw, (), ()), 0.0
    )
    assert relay is not None
    return relay


def records() -> dict[str, Record]:
    """A step; an abort with removals and a complaint; an abort that a dispute ended; the end of a run."""
    trail = [(phase, digest("vectors", phase.encode())) for phase in PAYLOADS if phase != "record"]
    coin = digest("vectors", b"coin")
    removals = (Removal(PEERS[0], BAN, Cause.FALSE_REVEAL), Removal(PEERS[2], MISS, Cause.WITHHELD_PART))
    complaints = (Complaint(PEERS[1], PEERS[0]),)
    silent = (Removal(PEERS[1], LEAVE, Cause.SILENT_IN_REVEAL),)
    aborted = Ending(ABORT, removals, complaints)
    lacking = [(phase, digest("vectors", phase.encode())) for phase in (GRADIENT, AGGREGATE)]
    return {
        "step": make_record(SEATING, Ending(STEP), trail, coin, digest("model", b"vectors")),
        "abort": make_record(SEATING, aborted, lacking, NOTHING, NOTHING),
        "disputed": make_record(SEATING, Ending(ABORT, silent), (), NOTHING, NOTHING, disputed=True),
        "close": make_record(SEATING, Ending(CLOSE), trail, coin, NOTHING),
    }


def phases_file() -> dict[str, Any]:
    """What peers say: signed messages, unsigned requests, and the digest of a phase's set."""
    signed = []
    for phase, payload in payloads():
        sealed = sign(0, phase, payload)
        signed.append(
            {
                "kind": type(payload).__name__,
                "phase": phase,
                "value": as_json(payload),
                "payload": encode(payload).hex(),
                "sealed": sealed.raw.hex(),
                "digest": sealed.digest.hex(),
            }
        )
    requests = (relayed(), messages.Need(0, 0, GRADIENT, (0, 2)), messages.Want(0, 0, (blob("aggregate 0"),)))
    return {
        "about": f"Made by `{COMMAND}`. Hexadecimal bytes. `seed` seals each signed message.",
        "place": {
            "seed": IDENTITIES[0].seed.hex(),
            "run": RUN.hex(),
            "step": STATE.step,
            "attempt": STATE.attempt,
            "roster": roster_digest(PEERS).hex(),
            "sender": PEERS[0].hex(),
        },
        "signed": signed,
        "requests": [
            {"kind": type(each).__name__, "value": as_json(each), "encoding": encode(each).hex()}
            for each in requests
        ],
        "sets": [
            {
                "phase": GRADIENT,
                "messages": [COMMITTED.posts[GRADIENT][seat].sealed.raw.hex() for seat in range(3)],
                "digest": SET.hex(),
            }
        ],
    }


def records_file() -> dict[str, Any]:
    """Where a ledger begins, and records with their digests."""
    return {
        "about": f"Made by `{COMMAND}`. Hexadecimal bytes. `gradient_seeds` are of step 0, by seat.",
        "genesis": {
            "run": RUN.hex(),
            "members": [peer.hex() for peer in PEERS],
            "coin": STATE.coin.hex(),
            "head": STATE.head.hex(),
            "roster": roster_digest(PEERS).hex(),
            "gradient_seeds": [gradient_seed(STATE.coin, peer).hex() for peer in PEERS],
        },
        "records": [
            {
                "name": name,
                "value": as_json(record),
                "encoding": encode(record).hex(),
                "digest": record.digest.hex(),
            }
            for name, record in records().items()
        ],
    }


def files() -> dict[Path, str]:
    """The text of each file."""
    made = {"phases.json": phases_file(), "records.json": records_file()}
    return {FOLDER / name: json.dumps(content, indent=1) + "\n" for name, content in made.items()}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(FOLDER.parents[1]))
