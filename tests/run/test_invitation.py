"""Invitations and admissions: who signed them, for which run, and what text is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import Identity, digest
from btard.errors import ConfigurationError
from btard.node.options import make_invitations, read_admission
from btard.run.admission import LISTED_MAX, Allow, Invite, Open
from btard.run.config import RunConfig
from btard.run.invitation import ID_BYTES, TOKEN_TEXT_MAX, Invitation
from btard.types import Digest
from tests.node.nodes import a_plan, a_run

BOOTSTRAP, OTHER = (Identity.from_seed(bytes([k]) * 32) for k in (1, 2))
RUN = digest("a run")
KEYS = [f"{n:064x}" for n in range(1, LISTED_MAX + 2)]

numbers = st.binary(min_size=ID_BYTES, max_size=ID_BYTES)
seconds = st.integers(0, 2**40 - 1)


@given(numbers, seconds)
def test_an_invitation_is_its_bootstraps_for_one_run_and_survives_its_text(number: bytes, until: int) -> None:
    made = Invitation.issue(BOOTSTRAP, RUN, number, until)
    assert Invitation.parse(made.text) == made
    assert made.text.isalnum()
    assert len(made.text) <= TOKEN_TEXT_MAX
    assert made.is_of(BOOTSTRAP.peer, RUN)
    assert not made.is_of(OTHER.peer, RUN)
    assert not made.is_of(BOOTSTRAP.peer, digest("another run"))


@given(numbers, seconds, seconds)
def test_an_invitation_cannot_be_prolonged(number: bytes, until: int, later: int) -> None:
    made = Invitation.issue(BOOTSTRAP, RUN, number, until)
    changed = Invitation(made.id, later, made.signature)
    assert changed.is_of(BOOTSTRAP.peer, RUN) == (later == until)


@given(st.text(max_size=TOKEN_TEXT_MAX + 5))
def test_noise_is_no_invitation(text: str) -> None:
    assert Invitation.parse(text) is None


@pytest.mark.parametrize("change", ["1{}", "{}0", " {}", "{}\n"])
def test_another_spelling_of_a_token_is_no_token(change: str) -> None:
    token = Invitation.issue(BOOTSTRAP, RUN, bytes(ID_BYTES), 1).text
    assert Invitation.parse(change.format(token)) is None


def test_an_invitation_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="15 bytes: use 16"):
        Invitation.issue(BOOTSTRAP, RUN, bytes(15), 1)
    with pytest.raises(ConfigurationError, match="fewer days"):
        Invitation.issue(BOOTSTRAP, RUN, bytes(16), 2**40)


def test_made_invitations_are_all_different_and_of_the_key_in_the_file(tmp_path: Any) -> None:
    key = tmp_path / "bootstrap.key"
    Identity.load_or_create(key, lambda _: BOOTSTRAP.seed)
    drawn = iter(range(256))
    made = list(make_invitations(RUN.hex(), key, 3, 1.0, 9.0, lambda size: bytes([next(drawn)]) * size))
    opened = [Invitation.parse(token) for token in made]
    assert len(set(made)) == 3
    assert all(each is not None and each.is_of(BOOTSTRAP.peer, Digest(RUN)) for each in opened)
    assert {each.expires_s for each in opened if each is not None} == {86_409}
    with pytest.raises(ConfigurationError, match="64 hexadecimal digits"):
        list(make_invitations("5e1f", key, 1, 1.0, 9.0, bytes))


def described(**admission: Any) -> bytes:
    tree = {**json.loads(a_run(peers=2).to_bytes()), "admission": admission}
    return json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()


def test_the_admission_is_part_of_the_run_id() -> None:
    plans = [
        a_plan(peers=2).model_copy(update={"admission": each})
        for each in (Open(), Open(per_address=2), Invite(), Allow(peers=tuple(KEYS[:2])))
    ]
    runs = [plan.begin(bytes(32)) for plan in plans]
    assert len({run.digest for run in runs}) == len(runs)
    assert all(RunConfig.from_bytes(run.to_bytes()) == run for run in runs)
    assert plans[0].differences(runs[3]) == [
        "admission.kind (open here, allow there)",
        "admission.peers (None here, 2 values there)",
        "admission.per_address (4 here, None there)",
    ]


@pytest.mark.parametrize(
    "admission",
    [
        {"kind": "lottery"},
        {"kind": "open", "per_address": 0},
        {"kind": "open"},
        {"kind": "invite", "per_address": 4},
        {"kind": "allow", "peers": []},
        {"kind": "allow", "peers": KEYS[:1]},
        {"kind": "allow", "peers": KEYS},
        {"kind": "allow", "peers": [KEYS[1], KEYS[0]]},
        {"kind": "allow", "peers": [KEYS[0], KEYS[0]]},
        {"kind": "allow", "peers": [KEYS[0], KEYS[1].upper().replace("0", "A")]},
        {"kind": "allow", "peers": [KEYS[0], KEYS[1] + "\n"]},
        {},
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_admission_that_cannot_be_is_refused_in_one_sentence(admission: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^[^\n]+$"):
        RunConfig.from_bytes(described(**admission))


def test_options_say_who_may_take_seats(tmp_path: Any) -> None:
    listed = tmp_path / "keys.txt"
    listed.write_text(f"# friends\n{KEYS[1]}\n\n{KEYS[0]}  # me\n")
    assert read_admission(None, False, None) == Open()
    assert read_admission(None, False, 9) == Open(per_address=9)
    assert read_admission(None, True, None) == Invite()
    assert read_admission([str(listed)], False, None) == Allow(peers=tuple(KEYS[:2]))
    assert read_admission([f"{KEYS[2]},{KEYS[0]}", KEYS[1]], False, None) == Allow(peers=tuple(KEYS[:3]))
    for allow, invite_only, per_address, words in (
        (KEYS[:1], True, None, "exclude each other"),
        (None, True, 3, "exclude each other"),
        (["nowhere.txt"], False, None, "nowhere.txt"),
        ([""], False, None, "0 keys"),
        (["5e1f"], False, None, "64 hexadecimal digits"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            read_admission(allow, invite_only, per_address)
