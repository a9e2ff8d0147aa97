"""A peer in an event loop: the driver of its machine, the network, the worker, the way into a run.

Programs that embed a peer or a bootstrap need only these names:

    ended = await run_peer(PeerOptions(join=address, key=Path("me.key")), emit=print)
"""

from __future__ import annotations

from btard.node.bootstrap import run_bootstrap
from btard.node.options import BootstrapOptions, PeerOptions
from btard.node.peer import run_peer

__all__ = ["BootstrapOptions", "PeerOptions", "run_bootstrap", "run_peer"]
