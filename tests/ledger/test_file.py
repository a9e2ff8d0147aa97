"""A ledger survives crashes and full disks, and no byte of it can change unnoticed."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
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
from tests.ledger.runs import recorded, write


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
    """Where each frame begins: the header's first, then the records'."""
    with LedgerReader(path) as reader:
        return [len(MAGIC), *(begin for begin in _positions(reader))]


def _positions(reader: LedgerReader) -> Iterator[int]:
    yield reader.position
    for _ in reader:
        yield reader.position


@contextmanager
def disk_of(size_bytes: int) -> Iterator[None]:
    """Files cannot grow beyond this size: writing stops in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ---------------------------------------------------------------- writing


def test_what_is_appended_is_read_back_also_after_it_was_opened_again(
    tmp_path: Path, header: LedgerHeader, entries: tuple[Entry, ...]
) -> None:
    path = tmp_path / "new" / FILE_NAME
    with LedgerFile.create(path, header) as file:
        file.append(entries[0])
        assert [content(e) for e in file] == [content(entries[0])]
    with LedgerFile.open(path) as file:
        assert (file.header, file.torn_bytes) == (header, 0)
        for entry in entries[1:]:
            file.append(entry)
    assert read(path) == [content(entry) for entry in entries]


def test_two_files_of_the_same_entries_are_the_same_bytes(
    tmp_path: Path, header: LedgerHeader, entries: tuple[Entry, ...]
) -> None:
    write(tmp_path / "a", header, entries)
    write(tmp_path / "b", header, entries)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_ledger_is_never_overwritten_and_has_one_writer(tmp_path: Path, header: LedgerHeader) -> None:
    path = tmp_path / FILE_NAME
    with LedgerFile.create(path, header):
        with pytest.raises(LedgerError, match="exists: choose another directory"):
            LedgerFile.create(path, header)
        with pytest.raises(LedgerError, match="another process writes"):
            LedgerFile.open(path)
    LedgerFile.open(path).close()


def test_a_closed_ledger_and_a_missing_one_say_so(
    tmp_path: Path, header: LedgerHeader, entries: tuple[Entry, ...]
) -> None:
    file = LedgerFile.create(tmp_path / FILE_NAME, header)
    file.close()
    file.close()
    with pytest.raises(LedgerError, match="is closed"):
        file.append(entries[0])
    for opening in (LedgerFile.open, LedgerReader):
        with pytest.raises(LedgerError, match="check its path"):
            opening(tmp_path / "none")


@pytest.mark.parametrize("room", [0, 3, 500])
def test_on_a_full_disk_nothing_is_lost_and_the_entry_can_be_appended_later(
    tmp_path: Path, header: LedgerHeader, entries: tuple[Entry, ...], room: int
) -> None:
    path = tmp_path / FILE_NAME
    with LedgerFile.create(path, header) as file:
        file.append(entries[0])
        size = path.stat().st_size
        with disk_of(size + room), pytest.raises(LedgerError, match="nothing before this entry is lost"):
            file.append(entries[1])
        assert path.stat().st_size == size
        file.append(entries[1])
    assert read(path) == [content(entry) for entry in entries[:2]]


def test_a_ledger_that_cannot_even_begin_leaves_no_file(tmp_path: Path, header: LedgerHeader) -> None:
    with disk_of(10), pytest.raises(LedgerError, match="can't be written"):
        LedgerFile.create(tmp_path / FILE_NAME, header)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="can't be created"):
        LedgerFile.create(tmp_path / "file" / FILE_NAME, header)


# ---------------------------------------------------------------- crashes


@given(cut=st.integers(min_value=1), zeros=st.booleans())
def test_an_entry_that_a_crash_cut_short_is_cut_off_and_reported(cut: int, zeros: bool) -> None:
    folder, _, entries = recorded()
    whole = (folder / FILE_NAME).read_bytes()
    begins = frames(folder / FILE_NAME)
    left = 1 + cut % (begins[-1] - begins[-2] - 1)
    path = folder / "torn"
    path.write_bytes(whole[: begins[-2]] + (bytes(left) if zeros else whole[begins[-2] : begins[-2] + left]))
    with pytest.raises(LedgerError, match=f"record {len(entries) - 1} "):
        read(path)
    with LedgerFile.open(path) as file:
        assert file.torn_bytes == left
        file.append(entries[-1])
    assert path.read_bytes() == whole
    path.unlink()


def test_a_file_with_a_wrong_byte_is_refused_and_not_touched() -> None:
    folder, _, _ = recorded()
    whole = bytearray((folder / FILE_NAME).read_bytes())
    begins = frames(folder / FILE_NAME)
    path = folder / "wrong"
    for at in (begins[1], begins[1] + 5, begins[2] - 1, begins[-2] + 2):
        wrong = whole.copy()
        wrong[at] ^= 0x80
        path.write_bytes(wrong)
        with pytest.raises(LedgerError, match="of the ledger does not hold"):
            LedgerFile.open(path)
        assert path.read_bytes() == wrong
    path.unlink()


# ---------------------------------------------------------------- hostile files


@given(data=st.data())
def test_any_flipped_bit_is_found_and_its_record_named(data: st.DataObject) -> None:
    folder, _, _ = recorded()
    whole = bytearray((folder / FILE_NAME).read_bytes())
    begins = frames(folder / FILE_NAME)
    # Half of the examples are where structure is: lengths, checks and digests are few among the bytes.
    edges = [edge + k for edge in begins for k in range(-32, 8) if 0 <= edge + k < len(whole)]
    at = data.draw(st.one_of(st.sampled_from(edges), st.integers(0, len(whole) - 1)))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    path = folder / "flipped"
    path.write_bytes(whole)
    frame = max((k for k, begin in enumerate(begins) if begin <= at), default=0)
    with pytest.raises(
        LedgerError, match="the header" if frame == 0 else f"record {frame - 1} of the ledger"
    ):
        read(path)


@given(data=st.data())
def test_no_bytes_make_the_reader_fail_in_another_way(data: st.DataObject) -> None:
    folder, _, _ = recorded()
    whole = (folder / FILE_NAME).read_bytes()
    keep = data.draw(st.sampled_from([0, len(MAGIC), *frames(folder / FILE_NAME)]))
    path = folder / "garbage"
    path.write_bytes(whole[:keep] + data.draw(st.binary(min_size=1, max_size=200)))
    with pytest.raises(LedgerError):
        read(path)


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
