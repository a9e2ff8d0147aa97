"""The contracts on imports refuse by name what is planted against them in a copy of the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest

ROOT = Path(__file__).parent.parent
LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's configuration on the package in `root`."""
    command = [sys.executable, "-c", LINT, "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copytree(ROOT / "btard", tmp_path / "btard", ignore=ignore_patterns("__pycache__"))
    copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_package_keeps_its_contracts(project: Path) -> None:
    assert lint(project).returncode == 0


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("wire/envelope.py", "from btard.cli import app", "btard.wire.envelope -> btard.cli"),
        ("novel/__init__.py", "", "- btard.novel"),
        ("protocol/record.py", "import time", "btard.protocol.record -> time"),
        ("protocol/__init__.py", "import os", "btard.protocol -> os"),
    ],
)
def test_what_breaks_a_contract_is_refused_by_name(file: str, line: str, said: str, project: Path) -> None:
    path = project / "btard" / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as module:
        module.write(f"\n{line}\n")
    result = lint(project)
    assert result.returncode == 1
    assert said in result.stdout
