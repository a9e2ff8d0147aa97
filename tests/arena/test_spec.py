"""What a spec may say, and which cells follow from it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.arena.cell import digest_of, label, varying
from btard.arena.runner import impossible, refuse
from btard.arena.spec import CELLS_MAX, SPECS, choose, parse_spec, read_spec
from btard.errors import ConfigurationError
from btard.lab import Experiment
from tests.arena.cases import TINY

RULES = ("mean", "median", "krum", "nnm+median")
ATTACKS = ("none", "alie", "ipm(epsilon=0.1)")


@given(
    rules=st.lists(st.sampled_from(RULES), min_size=1, max_size=6),
    attacks=st.lists(st.sampled_from(ATTACKS), min_size=1, max_size=5),
    seeds=st.lists(st.integers(0, 3), min_size=1, max_size=5),
)
def test_grid_is_every_combination_once(rules: list[str], attacks: list[str], seeds: list[int]) -> None:
    spec = parse_spec(f'title = "x"\n[grid]\nrule = {rules}\nattack = {attacks}\nseed = {seeds}')
    cells = spec.experiments()
    assert len({digest_of(each) for each in cells}) == len(cells)
    found = [(each.rule, each.attack, each.seed) for each in cells]
    assert sorted(found) == sorted(set(product(rules, attacks, seeds)))


def test_several_grids_pair_values_that_belong_together() -> None:
    spec = parse_spec(
        """
        title = "pairs"
        [grid]
        seed = [0, 1]
        [[grids]]
        estimator = ["mu2"]
        learning_rate = [0.1]
        [[grids]]
        estimator = ["gradient"]
        learning_rate = [0.5, 1]
        """
    )
    pairs = {(each.estimator, each.learning_rate) for each in spec.experiments()}
    assert pairs == {("mu2", 0.1), ("gradient", 0.5), ("gradient", 1.0)}
    assert len(spec.experiments()) == 6


def test_grids_that_overlap_run_a_cell_once() -> None:
    spec = parse_spec('title = "x"\n[[grids]]\nseed = [0, 1]\n[[grids]]\nseed = [1, 2]\n')
    assert [each.seed for each in spec.experiments()] == [0, 1, 2]


def test_spec_without_a_grid_is_one_cell_with_the_defaults() -> None:
    assert parse_spec('title = "x"').experiments() == (Experiment(),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title = ", "is not TOML"),
        ("", "title is missing"),
        ('title = "x"\n"two\\nlines" = 1', r"no field 'two\\nlines'"),
        ('title = "x"\ncolour = "red"', "no field colour: choose of title, description"),
        ('title = "x"\n[report]\ncolour = "red"', r"no field report\.colour: choose of rows, columns, last"),
        ('title = "x"\n[base]\nworker = 3', r"no field base\.worker: choose of task, workers"),
        ('title = "x"\n[grid]\nworker = [3]', r"no field grid\.worker"),
        ('title = "x"\n[[grids]]\nworker = [3]', r"no field grids\.worker"),
        ('title = "x"\n[grid]\nrule = "mean"', r"grid\.rule is 'mean': input should be a valid list"),
        ('title = "x"\n[grid]\nrule = []', r"grid\.rule is an empty list"),
        ('title = "x"\n[base]\nseed = 1\n[grid]\nseed = [1]', r"seed stands in \[base\] and in \[grid\]"),
        (
            'title = "x"\n[grid]\nseed = [1]\n[[grids]]\nseed = [1]',
            r"seed stands in \[grid\] and in \[grids\]",
        ),
        ('title = "x"\n[report]\nrows = "seed"', r"report\.rows is 'seed': choose of task"),
        ('title = "x"\n[report]\ncolumns = "rule"', "are both 'rule'"),
        ('title = "x"\n[report]\nlast = 0', r"report\.last is 0: input should be greater"),
        ('title = "x"\nimpossible = "ignore"', "impossible is 'ignore': input should be 'refuse' or 'skip'"),
        (f'title = "x"\n[grid]\nseed = {list(range(CELLS_MAX + 1))}', "leave at most"),
        ('title = "x"\n[base]\nworkers = "many"', "workers is 'many': input should be a valid integer"),
        ('title = "x"\n[base]\nworkers = true', "workers is True"),
        ('title = "x"\n[base]\nlearning_rate = -1', "give a finite one above 0"),
        ('title = "x"\n[base]\nbyzantine = 16', "give 0 to 15"),
        ('title = "x"\n[base]\nschedule = "sudden"', "schedule is 'sudden'"),
    ],
)
def test_bad_spec_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        parse_spec(text).experiments()
    assert "\n" not in str(caught.value)


def test_file_that_is_missing_not_text_too_long_or_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    with pytest.raises(ConfigurationError, match=f"{path} cannot be read"):
        read_spec(path)
    for content, said in (
        (b"\xff\xfe", "is not text"),
        (b"#" * (1 << 21), "is larger than 1048576 bytes: shorten it"),
        (b"title = 3", "is wrong: title is 3"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=f"{path} {said}"):
            read_spec(path)


def test_choice_of_cells_takes_each_field_s_values_together() -> None:
    cells = parse_spec(TINY).experiments()
    assert choose(cells, ()) == cells
    assert {each.rule for each in choose(cells, ["rule=median"])} == {"median"}
    chosen = choose(cells, ["rule=median", "seed=0", "seed=2", "attack=sign_flip(scale=1)"])
    assert [each.seed for each in chosen] == [0, 2]


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        (["median"], "write field=value, the field one of task"),
        (["colour=red"], "write field=value"),
        (["rule="], "write field=value"),
        (["rule=krum"], "no cell has rule=krum: choose of mean, median"),
    ],
)
def test_choice_that_leaves_nothing_is_refused(conditions: list[str], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        choose(parse_spec(TINY).experiments(), conditions)


def test_choice_of_values_that_never_meet_is_refused() -> None:
    cells = (Experiment(rule="mean", seed=0), Experiment(rule="median", seed=1))
    with pytest.raises(ConfigurationError, match="no cell meets rule=mean and seed=1"):
        choose(cells, ["rule=mean", "seed=1"])


def test_cells_that_cannot_be_are_known_before_training_with_their_reason() -> None:
    cells = (
        Experiment(workers=5, byzantine=2, rule="krum", seed=0),
        Experiment(workers=5, byzantine=2, rule="krum", seed=1),
        Experiment(workers=5, byzantine=2, rule="median"),
        Experiment(workers=5, byzantine=2, rule="repetition", attack="alie"),
        Experiment(workers=5, byzantine=2, attack="typo"),
    )
    refused = impossible(cells)
    assert [each in refused for each in cells] == [True, True, False, False, True]
    assert "n >= 2f + 3" in refused[cells[0]]
    with pytest.raises(ConfigurationError, match=r"rule=krum .*\(and 1 more like it\) is impossible: .*skip"):
        refuse(cells, refused)
    refuse(cells, {})


def test_whole_number_for_a_rate_is_the_same_cell() -> None:
    assert digest_of(Experiment(learning_rate=1)) == digest_of(Experiment(learning_rate=1.0))


def test_key_of_a_cell_is_stable_across_processes_and_versions_of_python() -> None:
    """A change of this digest makes every store forget its cells: raise NUMERICS or VERSION instead."""
    assert digest_of(Experiment()) == "d3f0778ae4d3622ecd85b222e8107fac830ebe42ab4032500eb0b53ec4970173"


def test_label_names_the_fields_that_differ() -> None:
    cells = (Experiment(rule="mean"), Experiment(rule="median", nesterov=True, momentum=0.9))
    assert varying(cells) == ("rule", "momentum", "nesterov")
    assert label(cells[1], varying(cells)) == "rule=median momentum=0.9 nesterov=true"


def test_shipped_spec_is_found_by_name_and_a_file_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(SPECS.names()) == {"smoke", "ctma", "draco", "btard"}
    assert SPECS.find("smoke") == SPECS.find("smoke.toml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smoke.toml").write_text(TINY)
    assert read_spec(SPECS.find("smoke.toml")).title.startswith("Tiny")
    with pytest.raises(ConfigurationError, match="no spec 'nothing': give a file, or one of btard, ctma"):
        SPECS.find("nothing")


@pytest.mark.parametrize("name", SPECS.names())
def test_shipped_spec_can_be_run(name: str) -> None:
    """Every cell but those that the spec itself expects to be impossible; its comment says what it is."""
    path = SPECS.path(name)
    spec = read_spec(path)
    cells = spec.experiments()
    refused = impossible([each for each in cells if each.seed == 0])
    assert not refused or spec.impossible == "skip"
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert f"`{name}`" in (path.parent / "README.md").read_text(encoding="utf-8")
