"""The summary of a local swarm's run: `summary.json` and the last table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from btard.codec import FP32
from btard.protocol.record import BAN, LEAVE, STEP
from btard.run.events import AttemptEnded, Ended
from btard.swarm.spec import SwarmSpec


@dataclass(frozen=True, slots=True)
class Exit:
    """A peer that lost its seat: by ban, or (`LEAVE`) without one."""

    peer: str
    name: str
    byzantine: str | None
    kind: str
    step: int
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """How a swarm's run ended. `run` is its id. `problems` is empty if honest peers made all steps with one
    model and kept their seats."""

    spec: SwarmSpec
    run: str
    steps: int
    seconds: float
    metrics: dict[str, float]
    exits: tuple[Exit, ...]
    seated_adversaries: tuple[str, ...]
    tensor_bytes: float
    control_bytes: float
    bytes_ratio: float
    model_digest: str
    ledger_digest: str
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON holds. Bytes are per honest peer and completed step, aborted attempts included."""
        return {
            "task": self.spec.plan.task,
            "peers": self.spec.plan.peers,
            "byzantine": [term.text for term in self.spec.byzantine],
            "seed": self.spec.plan.seed,
            "run": self.run,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "metrics": self.metrics,
            "banned": [_exit(each) for each in self.exits if each.kind == BAN],
            "left": [_exit(each) for each in self.exits if each.kind == LEAVE],
            "seated_adversaries": list(self.seated_adversaries),
            "bytes_per_peer_step": round(self.tensor_bytes + self.control_bytes, 1),
            "tensor_bytes_per_peer_step": round(self.tensor_bytes, 1),
            "control_bytes_per_peer_step": round(self.control_bytes, 1),
            "bytes_ratio": round(self.bytes_ratio, 4),
            "model_digest": self.model_digest,
            "ledger_digest": self.ledger_digest,
            "problems": list(self.problems),
        }


def _exit(each: Exit) -> dict[str, Any]:
    return {name: value for name, value in asdict(each).items() if name != "kind"}


def summarise(
    spec: SwarmSpec, run: str, records: Sequence[AttemptEnded], ends: Sequence[Ended], seconds: float
) -> Summary:
    """Summarise the first peer's records and the ends of all peers (none of a peer whose process died)."""
    names, plan = peer_names(spec), spec.plan
    terms = [spec.kind(index) for index in range(plan.peers)]
    kinds = dict(zip(names, (None if term is None else term.text for term in terms), strict=True))
    exits = tuple(
        Exit(r.peer, names[r.peer], kinds[r.peer], r.kind, record.step, r.reason)
        for record in records
        for r in record.removals
        if r.kind in (BAN, LEAVE)
    )
    gone = {each.peer for each in exits}
    seated = [peer for peer in names if peer not in gone]
    honest = [end for end in ends if end.peer in seated and kinds[end.peer] is None]
    steps = sum(record.kind == STEP for record in records)
    missing = sum(kinds[peer] is None for peer in seated) - len(honest)
    problems = [f"{e.name} is honest and lost its seat: {e.reason}" for e in exits if e.byzantine is None]
    problems += [f"{names[end.peer]} stopped: {end.reason}" for end in honest if end.outcome != "finished"]
    if missing > 0:
        problems.append(f"{missing} honest peers did not come to the end")
    if steps < plan.steps:
        problems.append(f"{steps} of {plan.steps} steps were made")
    if len({(end.model, end.ledger) for end in honest}) > 1:
        problems.append("honest peers ended with different models or ledgers")
    evaluated = [record.metrics for record in records if record.metrics]
    first = honest[0] if honest else None
    floor = _floor_bytes(records, plan.peers, 0 if first is None else first.parameters)
    count = max(1, len(honest)) * max(1, steps)
    tensor = sum(end.blob_bytes for end in honest) / count
    return Summary(
        spec=spec,
        run=run,
        steps=steps,
        seconds=seconds,
        metrics=evaluated[-1] if evaluated else {},
        exits=exits,
        seated_adversaries=tuple(names[peer] for peer in seated if kinds[peer] is not None),
        tensor_bytes=tensor,
        control_bytes=sum(end.control_bytes for end in honest) / count,
        bytes_ratio=tensor * max(1, steps) / floor if floor else 0.0,
        model_digest="" if first is None else first.model,
        ledger_digest="" if first is None else first.ledger,
        problems=tuple(problems),
    )


def _floor_bytes(records: Sequence[AttemptEnded], peers: int, parameters: int) -> float:
    """Return the bytes that plain butterfly all-reduce sends a peer over the same steps: 2 d (n - 1) / n
    floats each."""
    total, roster = 0.0, peers
    for record in records:
        if record.kind == STEP:
            total += 2 * FP32.size_bytes(parameters) * (roster - 1) / roster
        roster = record.roster
    return total


def peer_names(spec: SwarmSpec) -> dict[str, str]:
    """Return key (hex) -> what people call a peer of this swarm, by index: `peer-3`, `peer-7 (sign_flip)`."""
    return {
        peer.hex(): f"peer-{index}" + (f" ({kind.text})" if (kind := spec.kind(index)) else "")
        for index, peer in enumerate(spec.peers)
    }
