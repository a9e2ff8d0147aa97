"""A recipe's function has options, and may see the run's length; anything else is refused in one sentence."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.errors import ConfigurationError, RunMismatchError
from btard.run.config import RunConfig, RunPlan
from btard.run.plan import plan_run
from btard.training import TASKS, Recipe, load_recipe, trust
from btard.training.task_options import make, read_options
from btard.training.tasks.digits import digits

OWN_OPTIONS = """
from dataclasses import replace
from btard.training import SGD
from btard.training.optimizers import WarmupCosine
from btard.training.tasks.digits import digits
recipe = digits()
def fitted(steps: int, rate: float = 0.1, width: int = 3, flat: bool = False, kind: str = "a", other=None):
    sgd = SGD(learning_rate=rate, schedule=WarmupCosine(total=steps, warmup=width))
    return replace(digits(), optimizer=sgd, steps=steps, clip=1.0 if flat else None)
def suggested(steps=17):
    return replace(digits(), steps=steps)
def needs(width: int):
    return replace(digits(), batch_size=width)
def fails(width: int = 1):
    return replace(digits(), batch_size=8 // width)
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btard.training.registry.TASKS", dict(TASKS))
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_options_of_a_test.py").write_text(OWN_OPTIONS)


def load(name: str, length: int | None = None, **options: str) -> Recipe:
    return load_recipe(f"own_options_of_a_test:{name}", options=options, steps=length)


def test_options_are_read_as_their_parameters_are_annotated() -> None:
    recipe = load("fitted", 9, rate="2e-1", width="4", flat="true", kind="x=y")
    assert recipe.describe()["optimizer"].startswith("SGD(learning_rate=0.2, schedule=WarmupCosine(total=9, ")
    assert (recipe.steps, recipe.clip) == (9, 1.0)


def test_a_schedule_fits_the_length_of_the_run_and_a_default_is_the_tasks_suggestion() -> None:
    assert load("suggested").steps == 17
    assert load("suggested", 5).steps == 5
    cosine = "schedule=WarmupCosine(total={}"
    assert all(
        cosine.format(steps) in load_recipe("cifar10", steps=steps).describe()["optimizer"]
        for steps in (7, 8)
    )


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("fitted", {"wide": "3"}, r"has no option 'wide': its options are rate \(float\), width \(int\), fl"),
        ("fitted", {"other": "3"}, "has no option 'other'"),
        ("fitted", {"steps": "3"}, "use --steps"),
        ("fitted", {"width": "three"}, "option width is 'three': use a whole number"),
        ("fitted", {"width": "9" * 19}, "use a whole number"),
        ("fitted", {"rate": "inf"}, "option rate is 'inf': use a finite number"),
        ("fitted", {"rate": "1e999"}, "use a finite number"),
        ("fitted", {"rate": "1.2.3"}, "use a finite number"),
        ("fitted", {"flat": "yes"}, "option flat is 'yes': use true or false"),
        ("fitted", {"rate": "-1"}, "learning_rate is -1.0: use a positive number"),
        ("needs", {}, "needs the option width: say --option width=INT"),
        ("fails", {"width": "0"}, "cannot be made with the options width=0: ZeroDivisionError"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_in_one_sentence(
    name: str, options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        load(name, 5, **options)


def test_a_task_that_depends_on_the_length_of_the_run_says_so() -> None:
    with pytest.raises(ConfigurationError, match="depends on the length of the run: say --steps"):
        load("fitted")


def test_a_recipe_that_is_no_function_takes_no_options() -> None:
    with pytest.raises(ConfigurationError, match="takes no options: leave out rate"):
        load_recipe("own_options_of_a_test:recipe", options={"rate": "1"})
    assert make(sys, "x", {}, None) is None


def test_options_are_written_as_key_and_value_once() -> None:
    assert read_options(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    for texts, sentence in ((["a"], "key=value"), (["a=1", "a=2"], "twice"), (["1=2"], "key=value")):
        with pytest.raises(ConfigurationError, match=sentence):
            read_options(texts)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_option_of_a_stranger_ends_in_a_recipe_or_a_sentence(key: str, value: str) -> None:
    with suppress(ConfigurationError):
        assert load_recipe("digits", options={key: value, "learning_rate": value}).portable


def test_a_plan_has_the_options_in_its_run_id_and_peers_read_them_from_it() -> None:
    plan = plan_run("digits", peers=2, options={"learning_rate": "0.5"}, steps=3)
    run = RunConfig.from_bytes(plan.begin(bytes(32)).to_bytes())
    assert run.options == {"learning_rate": "0.5"}
    assert run.local_recipe().describe() == run.recipe
    assert "learning_rate=0.5" in run.recipe["optimizer"]
    plain = plan_run("digits", peers=2, steps=3)
    assert plain.begin(bytes(32)).digest != run.digest
    (difference, _) = plain.differences(run)
    assert difference == "options.learning_rate (None here, 0.5 there)"


def test_a_peer_whose_task_has_not_the_runs_options_is_refused_in_a_sentence() -> None:
    plan = plan_run("digits", peers=2, steps=3)
    with pytest.raises(ConfigurationError, match="has no option 'depth'"):
        plan.model_copy(update={"options": {"depth": "3"}}).local_recipe()
    with pytest.raises(RunMismatchError, match=r"optimizer .*learning_rate=0.25"):
        plan.model_copy(update={"options": {"learning_rate": "0.25"}}).local_recipe()


def test_a_plan_of_a_task_with_a_schedule_gives_peers_the_same_one() -> None:
    name = "own_options_of_a_test:fitted"
    plan = plan_run(name, peers=2, steps=6, options={"width": "2"})
    assert plan.local_recipe().steps == 6
    assert "total=6, warmup=2" in plan.recipe["optimizer"]
    longer = RunPlan.create(name, steps=8, peers=2, options={"width": "2"})
    assert "total=8, warmup=2" in longer.recipe["optimizer"]


def test_a_task_that_needs_an_option_can_be_trusted_before_the_run_names_it() -> None:
    name = "own_options_of_a_test:needs"
    plan = RunPlan.create(name, steps=1, peers=2, options={"width": "4"})
    TASKS.pop(name, None)
    trust(name)
    with pytest.raises(ConfigurationError, match="is not a recipe"):
        trust("sys:path")
    assert plan.local_recipe().batch_size == 4


def test_the_options_of_digits_leave_its_description_as_it_was() -> None:
    assert load_recipe("digits", options={"learning_rate": "0.1"}).describe() == digits().describe()
    assert replace(digits(), steps=1).describe() == digits().describe()
