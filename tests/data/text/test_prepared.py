"""Texts prepared as files: from Parquet, under a digest, mapped into memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from btard.data.text import load_corpus, prepared_path, read_prepared, write_prepared
from btard.data.text.articles import prepare, read_articles
from btard.data.text.preparation import prepare_text
from btard.errors import ConfigurationError
from tests.data.text.texts import corpus, write_parquet


def test_a_text_comes_back_from_its_file_as_it_was_and_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "small.safetensors"
    write_prepared(corpus(), path)
    found = read_prepared(path)
    assert found.fingerprints() == corpus().fingerprints()
    assert found.vocabulary == corpus().vocabulary
    assert np.array_equal(found.train.tokens, corpus().train.tokens)
    assert isinstance(found.train.tokens, np.memmap)
    assert not found.train.tokens.flags.writeable
    assert [each.name for each in path.parent.iterdir()] == ["small.safetensors"]


def flip_a_token(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (flip_a_token, "damaged|not a prepared text"),
        (lambda raw: raw.replace(b"1111", b"1112", 1), None),
        (lambda raw: raw[: len(raw) // 2], "not a prepared text"),
        (lambda raw: b"", "not a prepared text"),
        (lambda raw: b"\xff" * 64, "not a prepared text"),
        (lambda raw: raw.replace(b"btard text 1", b"btard text 9"), "not a prepared text"),
        (lambda raw: raw.replace(b"U16", b"F16"), "not a prepared text"),
        (lambda raw: raw.replace(b'"size":"100"', b'"size":"ten"'), "not a prepared text"),
        (lambda raw: raw.replace(b'"size":"100"', b'"size":"020"'), "not a prepared text"),
    ],
)
def test_a_file_that_was_changed_is_refused_or_has_another_digest(
    tmp_path: Path, change: Callable[[bytes], bytes], sentence: str | None
) -> None:
    path = tmp_path / "small.safetensors"
    write_prepared(corpus(), path)
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    if sentence is None:
        assert read_prepared(path).fingerprints() != corpus().fingerprints()
    else:
        with pytest.raises(ConfigurationError, match=sentence):
            read_prepared(path)


def test_articles_are_what_stands_between_titles_without_deeper_headings(tmp_path: Path) -> None:
    files = sorted(write_parquet(tmp_path).glob("train*.parquet"))
    assert list(read_articles(files)) == [
        "The fox is red . It runs to the hill .\n\nNobody saw it .",
        "Another story . It has an end .",
    ]


def test_a_folder_of_parquet_becomes_a_text_under_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BTARD_DATA", str(tmp_path / "data"))
    folder = write_parquet(tmp_path / "parquet")
    first = prepare_text("my-text", folder, folder)
    assert prepared_path("my-text").is_file()
    found = load_corpus("my-text")
    assert found.fingerprints() == prepare("my-text", folder, folder / "tokenizer.json").fingerprints()
    assert len(found.train.document_ends) == 2
    assert len(found.train.sentence_ends) == 5
    assert first.made
    assert any(found.fingerprints()["tokens"] in line for line in first.lines())
    # The second time the file is read, not made again.
    (folder / "tokenizer.json").unlink()
    second = prepare_text("my-text", folder, folder)
    assert second.to_dict() == {**first.to_dict(), "made": False}


def test_one_byte_of_the_text_changes_the_digests(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path)
    before = prepare("my-text", folder, folder).fingerprints()
    write_parquet(folder, ["", " = A = \n", " The fox is rad . It runs to the hill . \n"])
    after = prepare("my-text", folder, folder).fingerprints()
    assert before["text"] != after["text"]
    assert before["tokens"] != after["tokens"]
    assert before["vocabulary"] == after["vocabulary"]


def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTARD_DATA", str(tmp_path))
    folder = write_parquet(tmp_path / "parquet")
    with pytest.raises(ConfigurationError, match="run btard prepare-data absent"):
        load_corpus("absent")
    with pytest.raises(ConfigurationError, match="not the name of a text"):
        load_corpus("../absent")
    with pytest.raises(ConfigurationError, match="--parquet DIR"):
        prepare_text("absent")
    with pytest.raises(ConfigurationError, match="hf download"):
        prepare("empty", tmp_path / "nothing", folder)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        prepare("empty", folder, tmp_path / "no.json")
    (folder / "train-00000-of-00001.parquet").write_bytes(b"no parquet")
    with pytest.raises(ConfigurationError, match="no column of text"):
        prepare("broken", folder, folder)
