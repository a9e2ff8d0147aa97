"""The ledger that a simulated peer writes: the file of the production format, in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from btard.crypto import digest
from btard.errors import LedgerError
from btard.ledger.audit import AuditReport, audit
from btard.ledger.header import LedgerHeader
from btard.ledger.reader import FILE_NAME, FIRST_LINK, MAGIC, encode_entry, encode_frame
from btard.protocol.record import Entry
from btard.run.config import RunConfig
from btard.simulation.scenario import Scenario
from btard.simulation.task import recipe
from btard.training.start import describe_start
from btard.types import PeerId


class Book:
    """The bytes of a `LedgerFile`, without its fsync."""

    def __init__(self, header: LedgerHeader) -> None:
        frame, self._head = encode_frame(FIRST_LINK, header.to_bytes())
        self._bytes = bytearray(MAGIC + frame)

    def append(self, entry: Entry) -> None:
        """Write an entry."""
        frame, self._head = encode_frame(self._head, encode_entry(entry))
        self._bytes += frame

    def audit(self) -> AuditReport:
        """Audit these bytes as `btard audit` does a file's. Raises LedgerError if anything does not hold."""
        with tempfile.TemporaryDirectory(prefix="btard-simulation-") as folder:
            (Path(folder) / FILE_NAME).write_bytes(self._bytes)
            return audit(Path(folder))

    def complaint(self) -> str | None:
        """Return what the audit finds wrong, None if all holds."""
        try:
            self.audit()
        except LedgerError as error:
            return str(error)
        return None


def header_of(scenario: Scenario, members: tuple[PeerId, ...]) -> LedgerHeader:
    """Return the header of a scenario's run: what a bootstrap would publish, with a nonce of the seed."""
    run = RunConfig(
        task=recipe().task.name,
        recipe=recipe().describe(),
        start=describe_start(recipe(), bytes(32)),
        seed=0,
        steps=scenario.steps,
        peers=scenario.peers,
        protocol=scenario.config,
        nonce=digest("simulated run", scenario.seed.to_bytes(16, "little")).hex(),
    )
    return LedgerHeader.of(run, members)
