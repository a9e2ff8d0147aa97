"""The house rules that a machine can read, kept by reading the source; nothing here imports btard."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "btard"
TESTS = ROOT / "tests"

LINES_MAX = 400
CODE_AS_DATA = frozenset({"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"})
CODE_AS_DATA_CALLS = frozenset({"eval", "exec", "torch.load"})
CLOCKS = frozenset({"time", "timeit"})
TESTS_WITHOUT_A_PACKAGE = frozenset({"benchmarks", "conformance", "examples", "fuzz", "mutants", "swarm"})


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def at(path: Path, node: ast.AST | None = None) -> str:
    """Where to look, as an editor opens it."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def imported(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """The top-level name of each absolute import, wherever in the file it stands."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], node
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the dotted name that is called: `torch.load`, `eval`."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def definitions(module: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """The public classes and functions that a module defines; an overload is only a signature."""
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            overload = any(ast.unparse(mark).endswith("overload") for mark in node.decorator_list)
            if not node.name.startswith("_") and not overload:
                yield node


def test_no_file_of_the_package_is_longer_than_one_can_read_in_one_sitting() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(PACKAGE)}
    assert [f"{at(path)} has {n} lines" for path, n in lengths.items() if n > LINES_MAX] == []


def test_nothing_in_the_package_can_run_code_that_came_as_data() -> None:
    files = sources(PACKAGE)
    modules = [at(path, node) for path in files for name, node in imported(path) if name in CODE_AS_DATA]
    calling = [at(path, call) for path in files for name, call in calls(path) if name in CODE_AS_DATA_CALLS]
    assert modules + calling == []


def test_every_public_module_class_and_function_says_what_it_does() -> None:
    mute: list[str] = []
    for path in sources(PACKAGE):
        module = parse(path)
        if not path.stem.startswith("_") or path.stem.startswith("__"):
            mute += [at(path)] * (ast.get_docstring(module) is None)
            mute += [at(path, node) for node in definitions(module) if ast.get_docstring(node) is None]
    assert mute == []


def test_no_test_sleeps() -> None:
    """`asyncio.sleep(0)` lets the others run once and waits for nothing."""
    sleeping = [
        at(path, call)
        for path in sources(TESTS)
        for name, call in calls(path)
        if name.rpartition(".")[2] == "sleep" and list(map(ast.unparse, call.args)) != ["0"]
    ]
    assert sleeping == []


def test_no_test_looks_at_the_clock() -> None:
    modules = [at(path, node) for path in sources(TESTS) for name, node in imported(path) if name in CLOCKS]
    asserted = [
        at(path, node)
        for path in sources(TESTS)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Assert) and "loop.time()" in ast.unparse(node)
    ]
    assert modules + asserted == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    words = {"pytest.skip", "pytest.xfail", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}
    excused = [
        at(path, node)
        for path in sources(TESTS)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in words
    ]
    assert excused == []


def test_the_folders_of_tests_mirror_those_of_the_package() -> None:
    folders = {path.relative_to(TESTS).parent for path in sources(TESTS)} - {Path(".")}
    unknown = {f for f in folders if not (PACKAGE / f).is_dir() and f.parts[0] not in TESTS_WITHOUT_A_PACKAGE}
    assert sorted(map(str, unknown)) == []
