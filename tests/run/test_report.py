"""Reports: plain values, one line each, read back as they were."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from btard.protocol.ledger import replay
from btard.run.report import EndReport, RemovalReport, StepReport
from btard.training.task import Evaluation
from tests.ledger.runs import recorded

text = st.text(max_size=20)
counts = st.integers(0, 2**40)
removals = st.lists(st.builds(RemovalReport, text, text, text), max_size=3).map(tuple)
measures = st.none() | st.floats(allow_nan=False, allow_infinity=False)
steps = st.builds(
    StepReport, counts, counts, counts, text, st.booleans(), counts, removals, text, text, measures, measures
)
ends = st.builds(EndReport, text, st.booleans(), text, counts, text, text, counts, counts, counts, counts)


@given(steps)
def test_a_step_is_one_line_and_comes_back(report: StepReport) -> None:
    assert "\n" not in report.to_json()
    assert StepReport.from_json(report.to_json()) == report


@given(ends)
def test_an_end_is_one_line_and_comes_back(report: EndReport) -> None:
    assert "\n" not in report.to_json()
    assert EndReport.from_json(report.to_json()) == report


@given(steps, ends)
def test_the_two_are_told_apart_by_a_key(step: StepReport, end: EndReport) -> None:
    assert "reason" not in json.loads(step.to_json())
    assert "reason" in json.loads(end.to_json())


def test_a_report_says_what_its_record_says() -> None:
    _, header, entries = recorded()
    _, state = header.open()
    for entry, checked in zip(entries, replay(state, entries), strict=True):
        state = checked.state
        report = StepReport.of(entry.record, state, Evaluation(1.5, 0.5))
        assert (report.index, report.step, report.kind) == (
            entry.record.index,
            entry.record.step,
            entry.record.kind,
        )
        assert report.ledger == state.head.hex()
        assert report.roster == len(state.members)
        assert len(report.removals) == len(entry.record.removals)
        assert (report.loss, report.accuracy) == (1.5, 0.5)
