"""Runs the command line as a person does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_S = 400
"""Only ends what hangs: nothing is asserted about time."""

BIN = Path(sys.executable).parent


def environment() -> dict[str, str]:
    """With the installed command first on the path, and one thread a process."""
    return {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }


def btard(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `btard` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "btard", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def start(arguments: Sequence[str | Path], cwd: Path) -> subprocess.Popen[str]:
    """Start `btard` in a process group of its own, output and errors in one pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "btard", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_line(child: subprocess.Popen[str], words: str) -> str:
    """Read on until a line has these words."""
    assert child.stdout is not None
    for line in child.stdout:
        if words in line:
            return line
    raise AssertionError(f"{words!r} was never said")
