"""Events of a run for trackers."""

from __future__ import annotations

from btard.run.events import AttemptEnded, Begun, Norms, Removal

PEERS = tuple(f"{k}" * 64 for k in "abcd")
BEGUN = Begun(run="12" * 32, task="digits", steps=20, members=PEERS, seat=1)
NORMS = Norms(gradient=0.5, aggregate=0.25, distance=0.75, median_distance=0.5, tau=0.125, clipped=0.5)
BAN = Removal(peer=PEERS[3], kind="ban", reason="false gradient")


def record(step: int, kind: str = "step", *removals: Removal, **fields: object) -> AttemptEnded:
    """A record with everything in it, at the time 1000 + step."""
    always: dict[str, object] = {
        **{"time": 1000.0 + step, "index": step, "step": step, "attempt": 0, "kind": kind, "disputed": False},
        **{"roster": 4, "removals": removals, "ledger": "aa", "model": "bb"},
        **{"duration_s": 2.0, "phases_s": {"gradient": 1.5, "record": 0.5}, "work_s": {"update": 0.25}},
        **{"sent_bytes": 100, "received_bytes": 50, "dispute_s": 0.0},
    }
    if kind == "step":
        always |= {
            "training_loss": 10.0 - step,
            "norms": NORMS,
            "metrics": {"mlm loss": 1.0, "accuracy": 0.5},
        }
    return AttemptEnded.model_validate({**always, **fields})
