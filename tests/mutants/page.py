"""The table of the planted bugs, as a page of Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.scenes import CHEATS_OF
from tests.mutants.workshop import OUT_OF_REACH, SWARM

PAGE = Path(__file__).parent / "README.md"
SIMULATED = Path(__file__).parent / "simulated.json"

Simulated = Mapping[str, tuple[int, int | None]]
"""By name of a mutant: how many seeds were tried, and the first that does not hold."""

_HEAD = """# Planted bugs

Each row is one change of one file that breaks a rule of the protocol, or a bound. `make mutants` plants them
one at a time in a copy of the project, and one of the tests in the third column must fail. The failure must
be that of a test: an import that breaks finds nothing.

- `python -m tests.mutants NAME ...` tries these alone.
- `--simulate N` also asks `btard simulate` for N seeds, and keeps the answers in `simulated.json` and here.
- `--write` writes this page.

The changes are in [planted](planted): a new one is an entry there. `test_table.py` keeps them, and this page,
in step with the code.

The last column has the first seed of `btard simulate {swarm}` that does not hold with the bug, and
the adversaries (`--byzantine`) that it was given, if these were not drawn ([scenes.py](scenes.py)). A bug
that takes one particular attack is left to the test of that attack. The simulator has a network of its own,
and audits the ledgers of honest peers alone: some bugs are out of its reach.

"""


def read_simulated(path: Path = SIMULATED) -> dict[str, tuple[int, int | None]]:
    """Read what the simulator found, when it was last asked."""
    if not path.exists():
        return {}
    return {name: (tried, seed) for name, (tried, seed) in json.loads(path.read_text("utf-8")).items()}


def write_simulated(found: Simulated, path: Path = SIMULATED) -> None:
    """Write what the simulator found."""
    lines = [f"  {json.dumps(name)}: {json.dumps(list(found[name]))}" for name in sorted(found)]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def render(mutants: Sequence[Mutant], simulated: Simulated) -> str:
    """Return the page."""
    rows = [
        f"| {each.name} | `{each.path}` | {_tests(each)} | {_simulation(each, simulated)} |"
        for each in mutants
    ]
    head = "| planted bug | in | found by | simulation |\n|---|---|---|---|"
    return "\n".join((_HEAD.format(swarm=" ".join(SWARM)) + f"{len(mutants)} bugs.\n", head, *rows, ""))


def _tests(mutant: Mutant) -> str:
    return ", ".join(f"`{name.partition('/')[2]}`" for name in mutant.found_by)


def _simulation(mutant: Mutant, simulated: Simulated) -> str:
    if mutant.path.startswith(OUT_OF_REACH):
        return "out of reach"
    if mutant.name not in simulated:
        return "not tried"
    tried, seed = simulated[mutant.name]
    cheats = f" of `{CHEATS_OF[mutant.name]}`" if mutant.name in CHEATS_OF else ""
    return f"not in {tried} seeds{cheats}" if seed is None else f"yes, seed {seed}{cheats}"
