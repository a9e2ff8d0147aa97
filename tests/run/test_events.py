"""Events of a run: one line each, told apart by a key, read back as they were."""

from __future__ import annotations

import json
import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from btard.run.events import AttemptEnded, Event, Noted, Removal, read_event

KINDS = get_args(get_args(Event)[0])
texts = st.text(st.characters(codec="utf-8"), max_size=20)
st.register_type_strategy(str, texts)
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(Removal, st.builds(Removal, peer=texts, kind=texts, reason=texts))
events = st.one_of(*(st.builds(kind) for kind in KINDS))


@given(events)
def test_an_event_is_one_line_and_comes_back(event: Event) -> None:
    assert "\n" not in event.to_json()
    assert read_event(event.to_json()) == event


def test_an_event_has_the_time_at_which_it_was_made_or_none_in_virtual_time() -> None:
    assert Noted(text="now").time is not None
    assert Noted(time=None, text="virtual").time is None
    assert '"time":null' in Noted(time=None, text="virtual").to_json()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "training begins",
        "{}",
        '{"event": "lunch"}',
        '{"event": "noted"}',
        '{"event": "noted", "text": "a", "extra": 1}',
        json.dumps({"event": "gathered", "present": "many", "seats": 3}),
    ],
)
def test_a_line_that_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValidationError):
        read_event(line)


def test_metrics_of_any_name_come_back_also_those_that_are_not_finite() -> None:
    metrics = {"perplexity": math.inf, "loss": -0.5, "sentence order accuracy": 0.25}
    event = AttemptEnded(
        index=1, step=1, attempt=0, kind="step", disputed=False, roster=4, ledger="a", model="b",
        metrics=metrics,
    )  # fmt: skip
    assert json.loads(event.to_json())["metrics"]["perplexity"] == "Infinity"
    assert read_event(event.to_json()) == event
