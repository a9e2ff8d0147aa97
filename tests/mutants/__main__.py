"""Plant bugs, and see that tests find them: `python -m tests.mutants [NAME ...] --simulate N --write`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.page import PAGE, read_simulated, render, write_simulated
from tests.mutants.scenes import CHEATS_OF
from tests.mutants.table import MUTANTS
from tests.mutants.workshop import OUT_OF_REACH, Verdict, Workshop

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_S = 900.0


def check(workshop: Workshop, mutants: Sequence[Mutant]) -> list[Mutant]:
    """Let tests look for each bug; return those that they do not find."""
    tests = tuple(dict.fromkeys(test for each in mutants for test in each.found_by))
    verdict, said = workshop.tests(tests)
    if verdict is not Verdict.SURVIVED:
        print(said)
        sys.exit("The tests fail without any planted bug: repair that first.")
    print(f"{len(tests)} tests pass without a planted bug", flush=True)
    missed: list[Mutant] = []
    for mutant in mutants:
        with workshop.planted(mutant):
            verdict, said = workshop.tests(mutant.found_by)
        if verdict is not Verdict.FOUND:
            missed.append(mutant)
        print(f"{mutant.name:48} {verdict.value:10} {said.splitlines()[-1]}", flush=True)
        if verdict is Verdict.BROKEN:
            print(said)
    return missed


def simulate(workshop: Workshop, mutants: Sequence[Mutant], seeds: int) -> None:
    """Ask the simulator about each bug, and write down what it says."""
    chosen = {CHEATS_OF.get(each.name) for each in mutants if not each.path.startswith(OUT_OF_REACH)}
    for cheats in sorted(chosen, key=str):
        if (seed := workshop.first_violated(seeds, cheats)) is not None:
            sys.exit(f"Seed {seed} of {cheats or 'drawn cheats'} does not hold as it is: repair that first.")
    for mutant in mutants:
        if mutant.path.startswith(OUT_OF_REACH):
            continue
        with workshop.planted(mutant):
            seed = workshop.first_violated(seeds, CHEATS_OF.get(mutant.name))
        write_simulated({**read_simulated(), mutant.name: (seeds, seed)})
        answer = f"not in {seeds} seeds" if seed is None else f"seed {seed}"
        print(f"{mutant.name:48} {answer}", flush=True)


def main() -> int:
    """Run what was asked for; the status is 1 if tests miss a bug."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("name", nargs="*", help="of planted bugs; all without one")
    parser.add_argument("--simulate", type=int, default=0, metavar="N", help="seeds to ask the simulator for")
    parser.add_argument("--write", action="store_true", help="write the table, tests/mutants/README.md")
    options = parser.parse_args()
    if unknown := set(options.name) - {each.name for each in MUTANTS}:
        parser.error(f"there is no planted bug {', '.join(sorted(unknown))}: {PAGE.name} lists all")
    chosen = [each for each in MUTANTS if not options.name or each.name in options.name]
    with tempfile.TemporaryDirectory(prefix="btard-mutants-") as copy:
        try:
            workshop = Workshop(ROOT, Path(copy), TIMEOUT_S)
        except (OSError, subprocess.CalledProcessError) as error:
            parser.error(f"the project cannot be copied ({error}): run this in a git checkout of it")
        missed = check(workshop, chosen)
        if options.simulate:
            simulate(workshop, chosen, options.simulate)
    if options.write or options.simulate:
        PAGE.write_text(render(MUTANTS, read_simulated()), encoding="utf-8")
    print(f"{len(chosen) - len(missed)} of {len(chosen)} planted bugs were found")
    for mutant in missed:
        print(f"  not found: {mutant.name}: write the test that notices it")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
