"""A copy of the project in which bugs are planted, one at a time, and what notices them there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from tests.mutants.mutant import Mutant

PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
SWARM = ("--peers", "6", "--steps", "4")
"""What the simulator is asked for: swarms so small that many seeds take little time."""
VIOLATED = 3
"""Exit status of `btard simulate` if a seed does not hold."""

OUT_OF_REACH = (
    "btard/network/",
    "btard/ledger/",
    "btard/node/node.py",
    "btard/node/votes.py",
    "btard/protocol/ledger.py",
)
"""What the simulator does not run, or not on anything forged: it has a network of its own, and audits the
ledgers of honest peers alone."""


class Verdict(Enum):
    """What tests say of a planted bug. One that keeps them from running at all is not found: any change can
    break an import."""

    FOUND = "found"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN: no test could run"
    HUNG = "HUNG"


class Workshop:
    """A copy of the files of `root` that git knows, or would add, in the folder `copy`."""

    def __init__(self, root: Path, copy: Path, timeout_s: float) -> None:
        self._copy = copy
        self._timeout_s = timeout_s
        listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (root / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, copy / name)

    def tests(self, names: Sequence[str]) -> tuple[Verdict, str]:
        """Run these tests; return what they say, and what they print."""
        try:
            done = self._python(*PYTEST, *names)
        except subprocess.TimeoutExpired:
            return Verdict.HUNG, f"no end after {self._timeout_s:.0f} s"
        known = {0: Verdict.SURVIVED, 1: Verdict.FOUND}
        return known.get(done.returncode, Verdict.BROKEN), done.stdout + done.stderr

    def first_violated(self, seeds: int, cheats: str | None = None) -> int | None:
        """Return the first seed below `seeds` that does not hold in the simulator, None without one. `cheats`
        take part in place of drawn ones."""
        chosen = () if cheats is None else ("--byzantine", cheats)
        try:
            done = self._python("-m", "btard", "simulate", "--json", "--seeds", str(seeds), *SWARM, *chosen)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != VIOLATED:
            return None
        return min(map(int, json.loads(done.stdout)["failed"]))

    @contextmanager
    def planted(self, mutant: Mutant) -> Iterator[None]:
        """Have this bug in the copy, for a while."""
        path = self._copy / mutant.path
        honest = path.read_text(encoding="utf-8")
        path.write_text(mutant.plant(self._copy), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(honest, encoding="utf-8")

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Compiled files are told apart by their second and size: none are written.
        environment = {**os.environ, "PYTHONPATH": str(self._copy), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            (sys.executable, *arguments),
            cwd=self._copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=self._timeout_s,
        )
