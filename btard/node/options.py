"""What a person says when starting a peer or a bootstrap, checked before anybody is contacted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from btard.adversary import AdversaryTerm
from btard.crypto import Identity
from btard.errors import ConfigurationError, NetworkError
from btard.network.address import check_address
from btard.network.daemon import check_free
from btard.network.join import JoinLine
from btard.network.libp2p import listen_multiaddr
from btard.node.keeper import CHECKPOINT_EVERY, KEEP_CHECKPOINTS
from btard.run.admission import LISTED_MAX, Admission, Invite, Open, allowing
from btard.run.config import RunPlan
from btard.run.invitation import ID_BYTES, Invitation
from btard.training.device import check_device
from btard.types import Digest, PeerId

DAYS_MAX = 3650
"""For which an invitation can be good."""


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """How to take part in a run. `join` is the line to join by, `invite` an invitation, if the run needs one.
    `out` is the run directory; an earlier run in it is refused unless `replace`, or gone on with by `resume`.
    The peer listens on `host`:`port` (0: a free one) and is reached at `announce` (HOST:PORT each), or at the
    addresses of this machine if that is empty. Of every `checkpoint_every`-th step the model before and after
    it is kept, of these the newest `keep_checkpoints` (0: all). `expected` is the plan that the run must be
    of, if any. `adversary` is how the peer misbehaves, None if it is honest. `wait_s` bounds each wait for
    others."""

    join: str
    key: Path
    out: Path | None = None
    replace: bool = False
    resume: bool = False
    host: str = "0.0.0.0"
    port: int = 0
    announce: tuple[str, ...] = ()
    expected: RunPlan | None = None
    adversary: AdversaryTerm | None = None
    colluders: tuple[PeerId, ...] = ()
    evaluate_every: int = 5
    checkpoint_every: int = CHECKPOINT_EVERY
    keep_checkpoints: int = KEEP_CHECKPOINTS
    device: str = "cpu"
    wait_s: float = 600.0
    invite: str | None = None

    def check(self) -> None:
        """Raise BtardError for what can be known to be wrong without the network."""
        JoinLine.parse(self.join)
        if self.invite is not None and Invitation.parse(self.invite) is None:
            raise ConfigurationError("the invitation is not one: paste all of what `btard invite` printed")
        if self.resume and (self.out is None or self.replace):
            raise ConfigurationError("--resume goes on with the run in --out: leave --overwrite out")
        if self.wait_s < 0:
            raise ConfigurationError(f"--wait is {self.wait_s:g}: use 0 or more seconds")
        check_device(self.device)
        _check_network(self.host, self.port, self.announce)


@dataclass(frozen=True, slots=True)
class BootstrapOptions:
    """The plan of the run to announce, or, in its place, `resume`, a member's directory of the run to go on
    with; where its entrance listens, and where it is reached. `dht_port` is that of the directory's first
    node, on the same host; with an announced address others reach it at that host too."""

    plan: RunPlan | None
    key: Path
    host: str = "0.0.0.0"
    port: int = 0
    announce: tuple[str, ...] = ()
    dht_port: int = 0
    resume: Path | None = None

    def check(self) -> None:
        """Raise NetworkError for an address that is malformed or taken."""
        _check_network(self.host, self.port, self.announce)
        if self.dht_port and self.dht_port == self.port:
            raise NetworkError(f"--port and --dht-port are both {self.port}: use two ports")
        check_free(self.host, self.dht_port)


def read_addresses(texts: list[str] | None) -> tuple[str, ...]:
    """Addresses, each text with one or several of them between commas."""
    return tuple(each.strip() for text in texts or () for each in text.split(",") if each.strip())


def read_admission(
    allow: list[str] | None, invite_only: bool, per_address: int | None, planned: bool = False
) -> Admission:
    """Return who may take seats: the keys of `allow` (each text a file of keys, one a line, or keys between
    commas), the holders of invitations, or anybody, so many of one address.

    Raises ConfigurationError for a contradiction, a text that holds no keys, or if it is `planned`
    already."""
    given = (allow is not None) + invite_only + (per_address is not None)
    if planned and given:
        raise ConfigurationError(
            "the plan of --config says who may take seats: edit it, or leave --config out to use --allow, "
            "--invite-only or --per-address"
        )
    if given > 1:
        raise ConfigurationError(
            "--allow, --invite-only and --per-address exclude each other: give one of them"
        )
    if invite_only:
        return Invite()
    if allow is None:
        return Open() if per_address is None else Open(per_address=per_address)
    keys = tuple(key for text in allow for key in read_keys(_keys_in(text)))
    try:
        return allowing(keys)
    except ValidationError:
        raise ConfigurationError(f"--allow names {len(set(keys))} keys: use 1 to {LISTED_MAX}") from None


def make_invitations(
    run: str, key: Path, count: int, days: float, now_s: float, entropy: Callable[[int], bytes]
) -> Iterator[str]:
    """Yield tokens of so many invitations to the run with this id (hexadecimal), good for `days` from `now_s`
    on (seconds since 1970, UTC), signed by the bootstrap whose key file that is. `entropy(n)` returns n
    random bytes.

    Raises ConfigurationError for an id that is none or days that cannot be, IdentityError if there is no
    usable key."""
    if not re.fullmatch("[0-9a-f]{64}", run):
        raise ConfigurationError(
            "--run is the run's id: give the 64 hexadecimal digits that the bootstrap printed"
        )
    if not 0 <= days <= DAYS_MAX:
        raise ConfigurationError(f"--days is {days:g}: use 0 to {DAYS_MAX}")
    bootstrap = Identity.load(key)
    expires_s = int(now_s + 86_400 * days)
    for _ in range(count):
        yield Invitation.issue(bootstrap, Digest(bytes.fromhex(run)), entropy(ID_BYTES), expires_s).text


def _keys_in(text: str) -> str:
    """Return keys between commas: of a file, if `text` is the path of one."""
    path = Path(text)
    if re.fullmatch("[0-9a-f,]*", text) and not path.is_file():
        return text
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        raise ConfigurationError(
            f"--allow is {text[:80]!r}: give public keys, or a file with one a line"
        ) from None
    return ",".join(line.partition("#")[0].strip() for line in lines)


def read_keys(text: str) -> tuple[PeerId, ...]:
    """Peers from comma-separated hexadecimal keys. Raises ConfigurationError."""
    keys = [each for each in text.split(",") if each]
    if not all(re.fullmatch("[0-9a-f]{64}", key) for key in keys):
        raise ConfigurationError("a peer is named by the 64 hexadecimal digits of its public key")
    return tuple(PeerId(bytes.fromhex(key)) for key in keys)


def _check_network(host: str, port: int, announce: tuple[str, ...]) -> None:
    listen_multiaddr(host, port)
    for each in announce:
        check_address(each)
    check_free(host, port)
