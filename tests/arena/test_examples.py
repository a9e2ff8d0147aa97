"""The specs of the controlled experiment on CIFAR-10."""

from __future__ import annotations

from pathlib import Path

import pytest

from btard.arena.runner import impossible
from btard.arena.spec import read_spec

FOLDER = Path(__file__).parent.parent.parent / "examples" / "cifar10"


@pytest.mark.parametrize("name", ["arena", "patterns"])
def test_every_cell_of_a_spec_can_be_run_and_the_page_names_the_spec(name: str) -> None:
    path = FOLDER / f"{name}.toml"
    assert impossible(read_spec(path).experiments()) == {}
    assert f"({name}.toml)" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_grid_is_that_of_the_paper() -> None:
    cells = read_spec(FOLDER / "arena.toml").experiments()
    assert {(each.byzantine, each.attack_period) for each in cells} == {(7, 1), (3, 1), (7, 10)}
    assert {each.attack_start for each in cells} == {1000, 10_000}
    assert {(each.workers, each.batch_size, each.steps) for each in cells} == {(16, 8, 25_000)}
    assert len({each.attack for each in cells}) == 8
