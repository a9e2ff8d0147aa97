"""A bootstrap process: the entrance of one run, and the first node of the directory."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from btard.errors import ConfigurationError, NetworkError
from btard.ledger.directory import RunDirectory
from btard.ledger.header import LedgerHeader
from btard.ledger.history import read_history
from btard.network import DhtDirectory
from btard.network.descriptors import check_descriptors
from btard.network.join import JoinLine
from btard.network.own_addresses import own_addresses
from btard.node.gathering import LIMITS, Gathering
from btard.node.key import hold_key
from btard.node.options import BootstrapOptions
from btard.node.rendezvous import publish_genesis, publish_run, scope_of
from btard.run.admission import Allow, Invite, Open
from btard.run.config import NONCE_BYTES, RunConfig
from btard.run.events import Announced, Emit, Gathered, Noted
from btard.types import PeerId

ENDPOINTS_TOLD = 4
"""Addresses of each kind that newcomers are told."""


async def run_bootstrap(
    options: BootstrapOptions,
    *,
    emit: Emit,
    entropy: Callable[[int], bytes] = os.urandom,
    wall: Callable[[], float] = time.time,
) -> None:
    """Announce a run of the plan, fix its roster, and answer newcomers until cancelled.

    The run's nonce is drawn here from `entropy` and kept nowhere: a bootstrap that is started again starts
    another run, or tells the roster of one that a ledger holds (`options.resume`), so it never signs a second
    roster for one. Invitations expire by the clock `wall`.
    `emit` gets `Announced`, a `Noted` that says who may take seats, then a `Gathered` each time that the
    number of peers changes. Raises BtardError if the key or the address cannot be used."""
    options.check()
    begun = None if options.resume is None else _read_roster(options.resume)
    if begun is not None:
        config, _ = begun[0].open()
    else:
        assert options.plan is not None
        config = options.plan.begin(entropy(NONCE_BYTES))
    check_descriptors(LIMITS.descriptors(config.peers))
    with hold_key(options.key) as identity:
        if begun is not None and begun[0].bootstrap != identity.peer:
            raise ConfigurationError(
                f"the run in {options.resume} has another bootstrap than {options.key}: give its --key"
            )
        seats = config.peers if begun is None else len(begun[1])
        gathering = Gathering(
            identity,
            config,
            entropy=entropy,
            wall=wall,
            seen=lambda present: emit(Gathered(present=present, seats=seats)),
            begun=begun,
        )
        directory: DhtDirectory | None = None
        try:
            port = await gathering.open(options.host, options.port)
            hosts = [address.rpartition(":")[0] for address in options.announce]
            directory = await DhtDirectory.create(
                identity,
                scope_of(config, identity.peer),
                host=options.host,
                port=options.dht_port,
                announce=[f"{host}:{options.dht_port}" for host in hosts if options.dht_port],
            )
            entrances = (options.announce or own_addresses(options.host, port))[:ENDPOINTS_TOLD]
            introduction = gathering.introduce(entrances, directory.addresses[:ENDPOINTS_TOLD])
            lines = tuple(str(JoinLine(address, identity.peer, identity.peer)) for address in entrances)
            emit(Announced(run=config.digest.hex(), addresses=lines))
            emit(Noted(text=_admission(config, str(options.key)) if begun is None else _returning(seats)))
            await _publish(publish_run(directory, introduction), emit)
            header = await gathering.form()
            await _publish(publish_genesis(directory, header), emit)
            await asyncio.Event().wait()
        finally:
            await gathering.close()
            if directory is not None:
                await directory.close()


def _read_roster(run_dir: Path) -> tuple[LedgerHeader, tuple[PeerId, ...]]:
    """Return the header of a run's ledger, and who holds a seat at its end. Raises BtardError."""
    history = read_history(RunDirectory.open(run_dir).ledger)
    if history.state.closed:
        raise ConfigurationError(f"the run in {run_dir} is over: announce another one without --resume")
    return history.header, history.state.members


def _returning(seats: int) -> str:
    return (
        f"the run goes on once its {seats} members are back: each takes part again with "
        "btard peer --resume, its --out and its --key"
    )


async def _publish(publishing: Awaitable[None], emit: Emit) -> None:
    """Publish in the directory; if that fails, whoever asks here is answered all the same."""
    try:
        await publishing
    except NetworkError as error:
        emit(Noted(text=f"the run is not in the directory, which matters if this bootstrap goes: {error}"))


def _admission(config: RunConfig, key: str) -> str:
    """Return who can take a seat, and what that risks, for the person who runs the bootstrap."""
    match config.admission:
        case Open(per_address=most):
            return (
                f"anybody may take a seat, up to {most} from one address: somebody with many addresses can "
                "take most of them, and with them the run; --allow and --invite-only admit whom you name"
            )
        case Allow(peers=listed):
            return f"{len(listed)} keys may take a seat"
        case Invite():
            run = config.digest.hex()
            return f"seats are by invitation: `btard invite --run {run} --key {key}` makes some"
