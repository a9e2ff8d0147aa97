"""Check the models of agreement and accusation with spin, exhaustively: `python protocols/model/check.py`.

Every property must hold, and every planted mistake must be found; README.md says what is covered. A failure
prints the events that lead to it. Without spin or gcc nothing is checked, and the exit status is 0.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
TOOLS = ("spin", "gcc")
MISSING = "{tools} is not installed, so the models are not checked: apt install spin gcc"
MEMORY_MB = 2000
DEPTH = 1_000_000
EVENTS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Check:
    """One search through all states of a model of this size. `is_endless` looks for runs without an end
    instead of false assertions and invalid ends; `mistake` is the planted one, to be found."""

    model: str
    peers: int
    faults: int
    options: tuple[str, ...] = ()
    is_endless: bool = False
    mistake: str | None = None

    @property
    def title(self) -> str:
        """The line of the report without its result."""
        what = self.mistake or ("every run ends" if self.is_endless else "assertions and ends")
        size = " ".join((f"n={self.peers} f={self.faults}", *self.options))
        return f"{self.model:<13} {size:<15} {what:<22}"

    @property
    def defines(self) -> list[str]:
        """The switches of the preprocessor."""
        planted = () if self.mistake is None else (self.mistake,)
        return [f"-D{each}" for each in (f"N={self.peers}", f"F={self.faults}", *self.options, *planted)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search printed. `violation` is the first error in spin's words; `is_complete` says whether all
    states were visited."""

    violation: str | None
    is_complete: bool
    states: int
    memory_mb: float
    elapsed_s: float


def properties() -> Iterator[Check]:
    """The searches in which everything must hold, the smallest first."""
    for peers in (3, 4):
        yield Check("accusation", peers, 1)
        yield Check("broadcast", peers, 1)
        yield Check("broadcast", peers, 1, is_endless=True)
        yield Check("broadcast", peers, 1, ("SLOW=1",))
        yield Check("dolev_strong", peers, 1)
        yield Check("dolev_strong", peers, 1, is_endless=True)
    yield Check("dolev_strong", 5, 2)


def mistakes() -> Iterator[Check]:
    """The searches that must find what is planted, in the smallest size that has it."""
    for name in ("HALF", "NEARLY_ALL", "ACCUSE_AT_T", "SUM_IGNORES_CASES", "BAR_TOO_LOW"):
        yield Check("accusation", 3, 1, mistake=name)
    for name in ("PUSHED_ONCE", "UNCHECKED_ENDS_SEAT"):
        yield Check("accusation", 4, 1, mistake=name)
    yield Check("accusation", 5, 2, mistake="UNDECIDED_IS_NOTHING")
    for name in (
        *("HALF", "RULE3_ALWAYS", "MISSING_AT_ONCE", "NO_SECOND_CHANCE", "NO_ANSWER", "NO_RULE_1"),
        *("ANY_SET", "NO_RULE_6", "NO_CALLS"),
    ):
        yield Check("broadcast", 3, 1, mistake=name)
    for name in (
        *("FEWER_ROUNDS", "SHORT_ROUNDS", "FIRST_VIEW_ONLY", "RELAY_UNSIGNED", "EARLY_VIEWS_DROPPED"),
        *("DEADLINE_ALONE", "FEWER_CALLS"),
    ):
        yield Check("dolev_strong", 3, 1, mistake=name)
    yield Check("dolev_strong", 3, 1, is_endless=True, mistake="MORE_CALLS")


def absent_tools() -> list[str]:
    """Return the programs that a check needs and that this machine lacks."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def read_outcome(text: str) -> Outcome:
    """Read what the verifier printed; a search that is cut short is not complete."""
    error = re.search(r"^pan:1: (.*?) \(at depth \d+\)", text, re.MULTILINE)
    errors = re.search(r"errors: (\d+)", text)
    states = re.search(r"^\s*(\d+) states, stored", text, re.MULTILINE)
    memory = re.search(r"([\d.]+)\s+total actual memory usage", text)
    elapsed = re.search(r"elapsed time ([\d.e+-]+) seconds", text)
    cut = re.search(r"max search depth too small|out of memory|MEMLIM bound|Search not completed", text)
    violation = None if error is None else error[1]
    if violation is None and errors is not None and int(errors[1]):
        violation = "an error that the verifier does not name"
    return Outcome(
        violation=violation,
        is_complete=errors is not None and states is not None and cut is None,
        states=int(states[1]) if states else 0,
        memory_mb=float(memory[1]) if memory else 0.0,
        elapsed_s=float(elapsed[1]) if elapsed else 0.0,
    )


def run(command: Sequence[str], folder: Path) -> str:
    """Run a program in `folder`, and return all that it prints."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


def search(check: Check, folder: Path) -> tuple[Outcome, str]:
    """Search all states; return the outcome, and the events of the counterexample, or what the tools say."""
    model = f"{check.model}.pml"
    shutil.copy(FOLDER / model, folder)  # the trail is looked for beside the model
    said = run(["spin", "-a", *check.defines, model], folder)
    mode = "-DNP" if check.is_endless else "-DSAFETY"
    if (folder / "pan.c").exists():
        said += run(
            ["gcc", "-O2", "-w", mode, "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"], folder
        )
    if not (folder / "pan").exists():
        return read_outcome(""), said
    printed = run(["./pan", f"-m{DEPTH}", *(["-l"] if check.is_endless else [])], folder)
    outcome = read_outcome(printed)
    if outcome.violation is None:
        return outcome, "" if outcome.is_complete else printed
    return outcome, events(run(["spin", "-t", "-T", "-B", *check.defines, model], folder))


def events(replayed: str) -> str:
    """Return the last events of a replayed counterexample, and the line that it violates."""
    lines = [line.strip() for line in replayed.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("spin:") or "Error" in line]
    return "\n".join(f"    {line}" for line in told[-EVENTS_SHOWN:])


def is_right(check: Check, outcome: Outcome) -> bool:
    """Whether the search ended as it must: nothing found in all states, or the planted mistake found."""
    if check.mistake is not None:
        return outcome.violation is not None
    return outcome.violation is None and outcome.is_complete


def describe(check: Check, outcome: Outcome) -> str:
    """Return the result of a check in one line."""
    if outcome.violation is not None:
        short = outcome.violation if len(outcome.violation) < 60 else f"{outcome.violation[:57]}..."
        return f"{'found' if check.mistake else 'FAILS'}: {short}"
    if not outcome.is_complete:
        return "FAILS: not all states were visited"
    cost = f"{outcome.states:>10,} states {outcome.memory_mb:>6.0f} MB {outcome.elapsed_s:>6.1f} s"
    return f"{'NOT FOUND' if check.mistake else 'holds'} {cost}"


def main(arguments: Sequence[str]) -> int:
    """Check the models, print a line each, and return the exit status."""
    checks = [*properties(), *mistakes()]
    models = sorted({check.model for check in checks})
    parser = argparse.ArgumentParser(prog="check.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(models))
    parser.add_argument("--peers", type=int, help="only the searches of this many peers")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.models if name not in models]
    if unknown:
        parser.error(f"MODEL is {unknown[0]}: use {', '.join(models)}")
    absent = absent_tools()
    if absent:
        print(MISSING.format(tools=" or ".join(absent)))
        return 0
    wrong = 0
    for check in checks:
        if (chosen.models and check.model not in chosen.models) or chosen.peers not in (None, check.peers):
            continue
        print(check.title, end=" ", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            outcome, said = search(check, Path(folder))
        print(describe(check, outcome))
        if not is_right(check, outcome):
            wrong += 1
            print(said)
    if wrong:
        print(f"{wrong} of the checks above failed: the events before each failure are listed below it.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
