"""A ledger survives crashes and full disks, and no byte of it can change unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import Identity
from btard.errors import LedgerError
from btard.ledger.file import LedgerFile
from btard.ledger.header import LedgerHeader
from btard.ledger.reader import FILE_NAME, MAGIC, LedgerReader
from btard.protocol.record import Entry
from tests.ledger.runs import disk_of, recorded, write


@pytest.fixture
def header() -> LedgerHeader:
    return recorded()[1]


@pytest.fixture
def entries() -> tuple[Entry, ...]:
    return recorded()[2]


def content(entry: Entry) -> tuple[object, ...]:
    return entry.record, entry.transcript, entry.certificate


def read(path: Path) -> list[tuple[object, ...]]:
    with LedgerReader(path) as reader:
        return [content(entry) for entry in reader]


def frames(path: Path) -> list[int]:
    """Where each frame begins: the header's first, then the records', and where the last one ends."""
    with LedgerReader(path) as reader:
        return [len(MAGIC), reader.position, *(reader.position for _ in reader)]


# ---------------------------------------------------------------- writing


def test_what_is_appended_is_read_back_and_the_same_entries_are_the_same_bytes(
    tmp_path: Path, header: LedgerHeader, entries: tuple[Entry, ...]
) -> None:
    write(tmp_path / "a", header, entries)
    write(tmp_path / "b", header, entries)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read(tmp_path / "a") == [content(entry) for entry in entries]


def test_a_ledger_is_never_overwritten(tmp_path: Path, header: LedgerHeader) -> None:
    LedgerFile(tmp_path / FILE_NAME, header).close()
    with pytest.raises(LedgerError, match=r"exists.: choose another directory"):
        LedgerFile(tmp_path / FILE_NAME, header)


def test_a_missing_ledger_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="check its path"):
        LedgerReader(tmp_path / "none")


@pytest.mark.parametrize("room", [0, 3, 500])
def test_on_a_full_disk_nothing_before_the_entry_is_lost(
    tmp_path: Path, header: LedgerHeader, entries: tuple[Entry, ...], room: int
) -> None:
    path = tmp_path / FILE_NAME
    file = LedgerFile(path, header)
    file.append(entries[0])
    size = path.stat().st_size
    with disk_of(size + room), pytest.raises(LedgerError, match="nothing before this entry is lost"):
        file.append(entries[1])
    with pytest.raises(ValueError, match="closed"):
        file.append(entries[2])
    assert path.stat().st_size == size
    assert read(path) == [content(entries[0])]


def test_a_ledger_that_cannot_even_begin_leaves_no_file(tmp_path: Path, header: LedgerHeader) -> None:
    with disk_of(10), pytest.raises(LedgerError, match="cannot write"):
        LedgerFile(tmp_path / FILE_NAME, header)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"cannot write .*: choose another directory"):
        LedgerFile(tmp_path / "file" / FILE_NAME, header)


# ---------------------------------------------------------------- hostile files


def changed(raw: bytes | bytearray) -> Path:
    path = recorded()[0] / "changed"
    path.write_bytes(raw)
    return path


@given(cut=st.integers(min_value=1))
def test_a_file_that_ends_within_a_frame_is_refused_by_the_name_of_its_record(cut: int) -> None:
    folder, _, _ = recorded()
    whole = (folder / FILE_NAME).read_bytes()
    begins = frames(folder / FILE_NAME)
    end = len(MAGIC) + cut % (len(whole) - len(MAGIC))
    frame = max(k for k, begin in enumerate(begins) if begin <= end)
    path = changed(whole[:end])
    if end in begins[1:]:
        assert len(read(path)) == frame - 1
    else:
        named = "the header" if frame == 0 else f"record {frame - 1}"
        with pytest.raises(LedgerError, match=f"{named} of the ledger does not hold: the file ends"):
            read(path)


@given(data=st.data())
def test_any_flipped_bit_is_found_and_its_record_named(data: st.DataObject) -> None:
    folder, _, _ = recorded()
    whole = bytearray((folder / FILE_NAME).read_bytes())
    begins = frames(folder / FILE_NAME)
    # Half of the examples are where structure is: lengths, checks and digests are few among the bytes.
    edges = [edge + k for edge in begins for k in range(-32, 8) if 0 <= edge + k < len(whole)]
    at = data.draw(st.one_of(st.sampled_from(edges), st.integers(0, len(whole) - 1)))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    frame = max((k for k, begin in enumerate(begins) if begin <= at), default=0)
    with pytest.raises(
        LedgerError, match="the header" if frame == 0 else f"record {frame - 1} of the ledger"
    ):
        read(changed(whole))


@given(data=st.data())
def test_no_bytes_make_the_reader_fail_in_another_way(data: st.DataObject) -> None:
    folder, _, _ = recorded()
    whole = (folder / FILE_NAME).read_bytes()
    keep = data.draw(st.sampled_from([0, *frames(folder / FILE_NAME)]))
    with pytest.raises(LedgerError):
        read(changed(whole[:keep] + data.draw(st.binary(min_size=1, max_size=200))))


def test_a_header_that_contradicts_itself_is_refused(header: LedgerHeader) -> None:
    config, genesis = header.open()
    members, stranger = genesis.members, Identity.from_seed(bytes(32))
    for wrong, sentence in (
        (LedgerHeader(header.configuration, members[:-1]), "a roster of 4 different peers"),
        (LedgerHeader(header.configuration, members[::-1]), "a roster of 4 different peers"),
        (LedgerHeader(header.configuration, members, stranger.peer), "go together"),
        (LedgerHeader(header.configuration, members, stranger.peer, header.signature), "did not sign"),
    ):
        with pytest.raises(LedgerError, match=sentence):
            LedgerHeader.from_bytes(wrong.to_bytes()).open()
    assert LedgerHeader.of(config, members, stranger).open() == (config, genesis)
    assert LedgerHeader.of(config, members).open() == (config, genesis)
