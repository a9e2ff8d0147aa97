"""Nobody speaks for an honest peer; and what an honest peer writes down, an auditor can follow."""

from __future__ import annotations

from btard.node.driver import Work
from btard.protocol.attempt import AttemptMachine
from btard.simulation.checker import Checker, Scene
from btard.simulation.checkers.looking import records_of
from btard.simulation.host import Host
from btard.wire import Sealed, open_sealed


class Unforgeability(Checker):
    """Every message that an honest peer has on its board at the end of an attempt, or in its ledger, in the
    name of an honest peer, is one that this peer has sent."""

    name = "unforgeability"

    def __init__(self) -> None:
        self._attempts: dict[int, AttemptMachine] = {}

    def passing(self, scene: Scene, host: Host) -> str | None:
        if host.honest:
            self._attempts[host.index] = host.machine.attempt
        return None

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        for recorded in records_of(host, work):
            entry = recorded.entry
            written = (open_sealed(raw) for raw in (*entry.transcript, *entry.certificate))
            sealed = [each for each in written if isinstance(each, Sealed)]
            if host.index in self._attempts:
                sealed += [post.sealed for post in self._attempts[host.index].board.all_posts()]
            for each in sealed:
                author = scene.hosts[scene.index_of[each.envelope.sender]]
                if author.honest and each.raw not in scene.traffic.said[author.peer]:
                    return (
                        f"peer {host.index} holds a message of peer {author.index} that this one never sent"
                    )
        return None


class Audited(Checker):
    """The ledger of a steady peer, as it wrote it, passes the audit of `btard audit`, and ends where the
    swarm's does."""

    name = "audit"

    def finish(self, scene: Scene) -> str | None:
        host = next((host for host in scene.hosts if host.steady), None)
        if host is None or not scene.records:
            return None
        complaint = host.book.complaint()
        return None if complaint is None else f"the ledger of peer {host.index}: {complaint}"
