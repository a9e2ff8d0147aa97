"""The report of a node whose run is over."""

from __future__ import annotations

from btard.node.node import Node
from btard.protocol.outputs import FINISHED, Ended
from btard.run.report import EndReport


def end_report(node: Node, ended: Ended) -> EndReport:
    """How the run ended for this node."""
    traffic = node.transport.counters.total
    state = node.machine.state
    return EndReport(
        peer=node.transport.me.hex(),
        finished=ended.reason == FINISHED,
        reason=ended.reason,
        steps=state.step,
        model=node.engine.model_digest.hex(),
        ledger=state.head.hex(),
        blob_bytes=traffic.blob_bytes_sent,
        control_bytes=traffic.control_bytes_sent,
        parameters=node.engine.dimension,
        faults=sum(node.faults.values()),
    )
