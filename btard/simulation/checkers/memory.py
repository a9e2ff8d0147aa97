"""What a peer holds: no more than it may, and all that it relies on."""

from __future__ import annotations

import math

from btard.machine import Adopt, Effect
from btard.node.driver import Work
from btard.protocol.outputs import Recorded
from btard.protocol.peer import EARLY_MAX
from btard.simulation.checker import Checker, Scene
from btard.simulation.footprint import footprint
from btard.simulation.host import Host
from btard.types import Digest, PeerId


class Inventory(Checker):
    """The store of an honest peer has every blob that its machine relies on, also after a step's end."""

    name = "inventory"

    def worked(self, scene: Scene, host: Host, effect: Effect) -> str | None:
        if host.honest and isinstance(effect, Adopt):
            lost = [name for name in host.machine.inventory if name not in host.driver.store]
            if lost:
                return f"peer {host.index} relies on {len(lost)} blobs that its store has dropped"
        return None


class Buffers(Checker):
    """What a machine holds is bounded, whatever others send: measured at each record, on one steady peer.

    n peers' messages of an attempt have O(n) fields each; a dispute adds n views; and EARLY_MAX messages of
    each sender may wait for a later attempt."""

    name = "buffers"

    def after(self, scene: Scene, host: Host, work: Work) -> str | None:
        first = next(each for each in scene.hosts if each.steady)
        if host is not first or not any(isinstance(output, Recorded) for output in work.outputs):
            return None
        held, limit = footprint(host.machine), objects_max(scene.scenario.peers)
        return f"peer {host.index}'s machine holds {held} objects of {limit}" if held > limit else None


def objects_max(peers: int) -> int:
    """Objects that a machine of a swarm of `peers` may hold: three times what an undisturbed run measured."""
    return 3 * (2000 + 1000 * peers + 100 * peers**2) + math.prod((4, EARLY_MAX))


class Room(Checker):
    """The store of an honest peer keeps within its bound as it takes the blobs of others, and is never too
    full for one that an honest peer owes it."""

    name = "room"

    def worked(self, scene: Scene, host: Host, effect: Effect) -> str | None:
        if host.honest and isinstance(effect, Adopt) and not host.driver.store.fits(0):
            return f"the store of peer {host.index} is above its bound after step {effect.step}"
        return None

    def refused(self, scene: Scene, host: Host, sender: PeerId, name: Digest, size_bytes: int) -> str | None:
        owes = scene.hosts[scene.index_of[sender]].honest and host.machine.expects(sender, name)
        if host.honest and owes and not host.driver.store.fits(size_bytes):
            return (
                f"peer {host.index} has no room for a blob that honest peer {scene.index_of[sender]} owes it"
            )
        return None
