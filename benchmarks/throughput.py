"""How many steps a swarm makes in a virtual hour while some of its peers attack it.

    python -m benchmarks.throughput [--steps 500] [--kinds "late;liar(what=record)"] [--processes 2]

One run of the simulator for each behaviour, with one attacker and with the largest minority, which play
together, and one run without any. Virtual time alone counts, so the machine does not matter. Attacks begin in
step 0. Steps are simulated until the attackers are out and `TAIL` more are done, or up to `--most` in runs
whose attackers stay; steps that are left, up to `--steps`, count with the rate of the last `TAIL` ones. The
table shows it, beside that of the honest run.

Must hold: at least 80 % of the honest run's steps an hour over all steps, no honest peer removed, and no
checker of the simulator complains. Finished rows are kept in benchmarks/results/throughput.json and not run
again while the sources of the package are the same (`--fresh` runs them all). The exit status is 1 if a bar
does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

import btard
from benchmarks.machine import RESULTS, describe, in_words, keep
from btard.adversary import parse_adversary
from btard.node.driver import Work
from btard.pool import Failure, run_jobs
from btard.protocol.constants import ProtocolConfig, tolerated
from btard.protocol.outputs import Recorded
from btard.protocol.record import STEP
from btard.simulation import Byzantine, Scenario, Weather, World
from btard.simulation.checker import Checker, Scene
from btard.simulation.checkers import all_checkers
from btard.simulation.host import Host
from btard.types import PeerId

BAR = 0.8
TAIL = 20
"""Steps whose rate stands for those that are not simulated."""

TAIL_MIN = 8
"""And the least number of steps for that."""

SEED = 3
HONEST = "(none)"
BEHAVIOURS = (
    *("views_only", "liar(what=record)", "late", "late(until=soft)", "late(until=free)", "late_publisher"),
    *("selective", "dispute_each_phase", "flood", "dodge", "composite(explore=0.02)", "composite"),
    *(f"liar(what={what})" for what in ("random", "missing", "available", "took", "late", "silent", "views")),
    *("silent", "withheld_part", "withheld_reveal", "withheld_aggregate", "garbage", "equivocation"),
    *("false_accusation", "lazy_validator", "false_offer", "nan_gradient", "mimic", "wrong_aggregate"),
)
"""What is run; a term of `btard.adversary.parse_adversary` each."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run: `ends` is when each simulated step ended, in virtual seconds. `removals` are (step, honest or
    not, kind, reason)."""

    kind: str
    attackers: int
    asked: int
    ends: tuple[float, ...]
    aborts: int
    disputes: int
    removals: tuple[tuple[int, str, str, str], ...]
    behaviours: dict[str, int]
    violation: str | None

    @property
    def tail_s(self) -> float:
        """Virtual seconds of one of the last steps: of those after the last removal, if they are enough."""
        since = len(self.ends) - 2 - max((step for step, *_ in self.removals), default=-1)
        tail = min(TAIL, len(self.ends) - 1)
        tail = min(tail, since) if since >= TAIL_MIN else tail
        return (self.ends[-1] - self.ends[-1 - tail]) / tail

    @property
    def total_s(self) -> float:
        """Virtual seconds of all steps, those that were not simulated at the rate of the last ones."""
        return self.ends[-1] + (self.asked - len(self.ends)) * self.tail_s

    @property
    def honest_removals(self) -> int:
        """Steps or seats that honest peers lost."""
        return sum(1 for _, who, _, _ in self.removals if who == "honest")


class Watch(Checker):
    """Notes when steps end, and stops the world once what follows is as what was."""

    name = "throughput"

    def __init__(self, asked: int, most: int) -> None:
        self.ends: list[float] = []
        self.enough = False
        self._asked, self._most = asked, most
        self._out: int | None = None

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for output in work.outputs:
            if not isinstance(output, Recorded) or not host.honest:
                continue
            record = output.entry.record
            if record.kind != STEP or record.step != len(self.ends):
                continue
            self.ends.append(scene.now)
            cheats = {each.peer for each in scene.hosts if not each.honest}
            if cheats and self._out is None and not cheats & set(output.state.members):
                self._out = record.step
            done = len(self.ends)
            settled = self._out is not None and done > self._out + TAIL
            if done < self._asked and (settled or done >= self._most):
                self.enough = True
                return "enough"
        return None


def simulate(kind: str, attackers: int, peers: int, asked: int, most: int) -> Row:
    """Run one behaviour."""
    torch.set_num_threads(1)
    byzantine = tuple(Byzantine(peers - 1 - k, kind) for k in range(attackers))
    weather = Weather(typical_s=0.05, worst_s=0.5, loss=0.0, blob_s=0.5)
    config = ProtocolConfig(validators=4, phase_s=20.0, delta_s=1.0)
    world = World(Scenario(SEED, peers, asked, config, weather, byzantine))
    watch = Watch(asked, most)
    world.checkers = (*all_checkers(), watch)
    outcome = world.run()
    assert len(watch.ends) > 1, f"{outcome.violation}: no two steps were made"
    violation = None if watch.enough or outcome.violation is None else outcome.violation.text
    removals = tuple(
        (
            recorded.entry.record.step,
            "honest" if world.hosts[world.index_of[PeerId(removal.peer)]].honest else "attacker",
            str(removal.kind),
            str(removal.reason),
        )
        for recorded in world.records
        for removal in recorded.entry.record.removals
    )
    behaviours: dict[str, int] = {}
    for host in world.hosts:
        for name, count in host.adversary.behaviours.items() if host.adversary is not None else ():
            behaviours[name] = behaviours.get(name, 0) + count
    return Row(
        kind=kind,
        attackers=attackers,
        asked=asked,
        ends=tuple(round(end, 3) for end in watch.ends),
        aborts=outcome.restarts,
        disputes=outcome.disputes,
        removals=removals,
        behaviours=behaviours,
        violation=violation,
    )


def _job(job: tuple[str, int, int, int, int]) -> Row:
    return simulate(*job)


# ---------------------------------------------------------------- finished rows


def _sources() -> str:
    """Return the digest of the package: rows of other sources say nothing about these."""
    folder = Path(btard.__file__).parent
    names = sorted(folder.rglob("*.py"))
    return sha256(b"".join(sha256(name.read_bytes()).digest() for name in names)).hexdigest()


def _known(peers: int, asked: int) -> list[Row]:
    path = RESULTS / "throughput.json"
    if not path.exists():
        return []
    said = json.loads(path.read_text(encoding="utf-8"))
    if (said["sources"], said["peers"], said["steps"]) != (_sources(), peers, asked):
        return []
    return [_row(each) for each in said["rows"]]


def _row(said: dict[str, Any]) -> Row:
    return Row(**{**said, "ends": tuple(said["ends"]), "removals": tuple(map(tuple, said["removals"]))})


# ---------------------------------------------------------------- the report


def table(rows: Sequence[Row], where: dict[str, str | int], peers: int, asked: int, sources: str) -> str:
    """The report; `sources` is the digest of the package that was measured."""
    honest = next((row for row in rows if row.kind == HONEST), None)
    lines = [
        "# Throughput under attack",
        "",
        f"{peers} peers, {asked} steps, phase_s = 20, delta_s = 1, 4 validators, weather of 0.05 to 0.5 s,",
        f"seed {SEED}; virtual time. `ratio` is the steps an hour over all steps, beside the honest run; it",
        f"must be at least {BAR:.0%}. Steps that were not simulated count with the rate of the last {TAIL}:",
        "`s a step, last`.",
        "Seats: the steps in which attackers lost theirs, and why.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---|" + "---:|" * (len(_COLUMNS) - 2) + "---|",
        *(_line(row, honest) for row in sorted(rows, key=_order)),
        "",
        f"{in_words(where)}, sources: {sources[:16]}",
    ]
    return "\n".join(lines) + "\n"


_COLUMNS = (
    *("behaviour", "attackers", "ratio", "s a step", "s a step, last", "simulated", "aborts", "disputes"),
    *("honest removals", "seats"),
)


def _order(row: Row) -> tuple[bool, str, int]:
    return row.kind != HONEST, row.kind, row.attackers


def _line(row: Row, honest: Row | None) -> str:
    ratio = "" if honest is None else f"{_ratio(row, honest):.0%}"
    marked = f"**{ratio}**" if honest is not None and _ratio(row, honest) < BAR else ratio
    lost: dict[str, list[int]] = {}
    for step, who, kind, reason in row.removals:
        if who == "attacker" and kind != "miss":
            lost.setdefault(reason, []).append(step)
    seats = "; ".join(f"{', '.join(map(str, steps))}: {reason}" for reason, steps in lost.items())
    cells = [
        f"`{row.kind}`" if row.attackers else "none",
        str(row.attackers),
        marked,
        f"{row.total_s / row.asked:.2f}",
        f"{row.tail_s:.2f}",
        str(len(row.ends)),
        str(row.aborts),
        str(row.disputes),
        str(row.honest_removals) + (f" ({row.violation})" if row.violation else ""),
        seats or "none",
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(row: Row, honest: Row) -> float:
    return honest.total_s / row.total_s


def _holds(row: Row, honest: Row) -> bool:
    return _ratio(row, honest) >= BAR and not row.honest_removals and row.violation is None


def main() -> int:
    """Run what is not known yet, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--most", type=int, default=60, help="steps to simulate if the attackers stay")
    parser.add_argument("--peers", type=int, default=16)
    parser.add_argument("--attackers", help="numbers, with commas; by default 1 and the largest minority")
    parser.add_argument("--kinds", help="adversaries, with semicolons; by default all")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="run finished rows again")
    options = parser.parse_args()
    kinds = options.kinds.split(";") if options.kinds else list(BEHAVIOURS)
    numbers = [int(n) for n in (options.attackers or f"1,{tolerated(options.peers)}").split(",")]
    for kind in kinds:
        parse_adversary(kind)
    rows = [] if options.fresh else _known(options.peers, options.steps)
    known = {(row.kind, row.attackers) for row in rows}
    wanted = [(HONEST, 0), *((kind, number) for kind in kinds for number in numbers)]
    jobs = [(*job, options.peers, options.steps, options.most) for job in wanted if job not in known]
    for job, result in run_jobs(jobs, _job, options.processes):
        if isinstance(result, Failure):
            print(f"{job[0]} with {job[1]}: {result.reason}", file=sys.stderr)
            return 1
        if result is None:
            continue
        rows.append(result)
        report = {
            "sources": _sources(),
            "peers": options.peers,
            "steps": options.steps,
            "rows": [asdict(row) for row in rows],
        }
        keep("throughput", report, table(rows, describe(), options.peers, options.steps, _sources()))
    honest = next(row for row in rows if row.kind == HONEST)
    failed = [f"{row.kind} with {row.attackers}" for row in rows if not _holds(row, honest)]
    if failed:
        print(f"The bar does not hold in: {'; '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
