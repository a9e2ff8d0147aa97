"""The table of planted bugs fits the code as it is now: `make mutants` plants them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant
from tests.mutants.page import PAGE, SIMULATED, read_simulated, render
from tests.mutants.scenes import CHEATS_OF
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).parent.parent.parent
LEAST = 30


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_fits_its_file_and_compiles(mutant: Mutant) -> None:
    honest = (ROOT / mutant.path).read_text(encoding="utf-8")
    planted = mutant.plant(ROOT)
    assert planted != honest
    compile(planted, mutant.path, "exec")


def test_there_are_enough_planted_bugs_and_no_two_are_one() -> None:
    assert len(MUTANTS) >= LEAST
    assert [name for name, times in Counter(each.name for each in MUTANTS).items() if times > 1] == []
    assert len({(each.path, each.changes) for each in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_finds_a_planted_bug_exists(mutant: Mutant) -> None:
    assert mutant.found_by
    for name in mutant.found_by:
        path, _, test = name.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {test.partition('[')[0]}(" in text or not test, name


def test_the_page_is_that_of_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(MUTANTS, read_simulated())


def test_what_the_simulator_found_is_of_planted_bugs() -> None:
    assert SIMULATED.exists()
    assert set(read_simulated()) | set(CHEATS_OF) <= {each.name for each in MUTANTS}


def test_a_bug_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("a = 1\na = 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"twice: 'a = 1' occurs 2 times in file\.py"):
        Mutant("twice", "file.py", "a = 1", "a = 2", ()).plant(tmp_path)
