"""The runner of the models in `protocols/model`: what it reads from spin, and what it does without spin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocols.model import check

FOLDER = Path(check.__file__).parent
STATISTICS = """
State-vector 44 byte, depth reached 155, errors: {errors}
    16784 states, stored
  1274665 states, matched
  1291449 transitions (= stored+matched)
  182.480	total actual memory usage

pan: elapsed time 1.71 seconds
"""


def test_a_search_of_all_states_without_an_error_holds() -> None:
    outcome = check.read_outcome(STATISTICS.format(errors=0))
    assert outcome == check.Outcome(None, True, 16784, 182.48, 1.71)
    assert check.is_right(check.Check("broadcast", 3, 1), outcome)
    assert not check.is_right(check.Check("broadcast", 3, 1, mistake="HALF"), outcome)


@pytest.mark.parametrize("error", ["assertion violated  !(found)", "invalid end state", "non-progress cycle"])
def test_an_error_fails_a_check_and_is_what_a_planted_mistake_must_cause(error: str) -> None:
    outcome = check.read_outcome(f"pan:1: {error} (at depth 37)\n" + STATISTICS.format(errors=1))
    assert outcome.violation == error
    assert not check.is_right(check.Check("broadcast", 3, 1), outcome)
    assert check.is_right(check.Check("broadcast", 3, 1, mistake="HALF"), outcome)


def test_an_error_without_a_name_fails_a_check() -> None:
    assert not check.is_right(check.Check("broadcast", 3, 1), check.read_outcome(STATISTICS.format(errors=1)))


@pytest.mark.parametrize(
    "cut",
    ["error: max search depth too small", "pan: reached -DMEMLIM bound", "pan: out of memory", "Killed"],
)
def test_a_search_that_is_cut_short_holds_nothing(cut: str) -> None:
    said = "Killed" if cut == "Killed" else f"{cut}\n{STATISTICS.format(errors=0)}"
    outcome = check.read_outcome(said)
    assert not outcome.is_complete
    assert not check.is_right(check.Check("broadcast", 3, 1), outcome)


def test_a_counterexample_is_told_by_its_events() -> None:
    replayed = (
        "peer 0 falls into dispute\n\nspin: broadcast.pml:9, Error: assertion violated\n"
        "spin: trail ends after 3 steps\n"
    )
    assert check.events(replayed).splitlines() == [
        "    peer 0 falls into dispute",
        "    spin: broadcast.pml:9, Error: assertion violated",
    ]


def test_without_spin_the_check_says_so_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check.main([]) == 0
    said = capsys.readouterr().out
    assert said == "spin or gcc is not installed, so the models are not checked: apt install spin gcc\n"


def test_a_model_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        check.main(["paxos"])
    assert end.value.code == 2
    assert "MODEL is paxos: use accusation, broadcast, dolev_strong" in capsys.readouterr().err


def test_every_mistake_that_a_model_has_is_planted_and_stands_in_the_table() -> None:
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    planted = {(each.model, each.mistake) for each in check.mistakes()}
    for model in sorted({each.model for each in check.properties()}):
        source = (FOLDER / f"{model}.pml").read_text(encoding="utf-8")
        switches = set(re.findall(r"^#ifn?def (\w+)", source, re.MULTILINE)) - {
            "N",
            "F",
            "CUT",
            "SLOW",
            "SKEW",
        }
        assert switches == {name for of, name in planted if of == model}
        assert [name for name in sorted(switches) if f"| {model} | {name} |" not in table] == []
