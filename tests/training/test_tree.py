"""The digest of a state is over chunks, each of which can be checked alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from btard.crypto import keystream
from btard.errors import ConfigurationError
from btard.training import snapshot as module
from btard.training.snapshot import Snapshot
from btard.training.tree import CHUNK_BYTES, Layout, Tree
from btard.types import Bytes, Digest
from protocols.vectors import make_tree


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def state() -> Snapshot:
    """Tensors of three chunks and a bit, of exactly one, of a few bytes, of one number, of none."""
    generator = torch.Generator().manual_seed(1)
    return Snapshot(
        '{"updates":3}',
        {
            "model.wide": torch.randn(3 * CHUNK_BYTES // 8 + 5, 2, generator=generator),
            "model.even": torch.randn(CHUNK_BYTES // 8, generator=generator, dtype=torch.float64),
            "model.small": torch.randn(3, generator=generator),
            "model.one": torch.tensor(7),
            "model.none": torch.zeros(0, 4),
        },
    )


def literal(domain: str, *parts: bytes) -> bytes:
    """protocols/encoding.md, Digest."""
    name = b"btard/1/" + domain.encode()
    whole = b"".join(len(part).to_bytes(8, "little") + part for part in (name, *parts))
    return hashlib.blake2b(whole, digest_size=32).digest()


def test_the_root_is_what_the_specification_says() -> None:
    parts = [b'{"updates":3}']
    for name, tensor in sorted(state().tensors.items()):
        data = tensor.numpy().tobytes()
        chunks = [data[start : start + 2**20] for start in range(0, len(data), 2**20)]
        parts.append(f"{name} {tensor.dtype} {list(tensor.shape)} {len(data)}".encode())
        parts.append(b"".join(literal("model chunk", chunk) for chunk in chunks))
    assert state().digest() == literal("model", *parts)
    assert len(state().tree().leaves) == 4 + 1 + 1 + 1


def test_the_stored_tree_is_made_of_the_keystream_as_specified() -> None:
    stored = json.loads(make_tree.FILE.read_text())
    assert make_tree.text() == make_tree.FILE.read_text()
    parts, leaves = [stored["settings"].encode()], []
    for line in stored["tensors"]:
        name, size = line.split()[0], int(line.split()[-1])
        data = keystream(bytes.fromhex(stored["seed"]), f"tensor {name}", size)
        own = [literal("model chunk", data[start : start + 2**20]) for start in range(0, size, 2**20)]
        leaves += own
        parts += [line.encode(), b"".join(own)]
    assert [leaf.hex() for leaf in leaves] == stored["leaves"]
    assert literal("model", *parts).hex() == stored["root"]


@pytest.mark.usefixtures("threads")
def test_any_number_of_threads_finds_the_same_tree() -> None:
    trees = []
    for count in (1, 2, 7):
        torch.set_num_threads(count)
        trees.append(state().tree())
    assert trees[0] == trees[1] == trees[2]


def test_each_chunk_is_checked_alone_and_a_changed_byte_is_refused() -> None:
    given = state()
    tree = given.tree()
    for index in range(len(tree.leaves)):
        data = bytes(given.chunk(tree, index))
        assert tree.holds(index, data)
        for place in (0, len(data) // 2, len(data) - 1):
            changed = bytearray(data)
            changed[place] ^= 1
            assert not tree.holds(index, bytes(changed))
        assert not tree.holds(index, data[:-1])
        assert not tree.holds(index, data + b"\0")
        assert not tree.holds(index, b"")
        assert not tree.holds((index + 1) % len(tree.leaves), data)
    for index in (-1, len(tree.leaves)):
        with pytest.raises(ConfigurationError, match="does not exist"):
            tree.holds(index, b"")


def test_a_tree_that_differs_anywhere_has_another_root_or_is_refused() -> None:
    tree = state().tree()
    other = Digest(bytes(32))
    forged = [
        replace(tree, settings='{"updates":4}'),
        *(
            replace(tree, leaves=(*tree.leaves[:k], other, *tree.leaves[k + 1 :]))
            for k in range(len(tree.leaves))
        ),
        *(
            replace(tree, tensors=tuple(replace(t, **{field: value}) for t in tree.tensors))
            for field, value in (("name", "x"), ("kind", "torch.int8"), ("shape", (1,)))
        ),
    ]
    assert len({tree.digest(), *(each.digest() for each in forged)}) == len(forged) + 1
    for leaves in (tree.leaves[:-1], (*tree.leaves, other), ()):
        with pytest.raises(ConfigurationError, match="leaves"):
            replace(tree, leaves=leaves)
    with pytest.raises(ConfigurationError, match="leaves"):
        Tree("", (Layout("a", "torch.float32", (1,), -1),), ())


def test_only_chunks_that_have_changed_are_hashed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    real = module.digests

    def counted(domain: str, pieces: list[Bytes]) -> list[Digest]:
        hashed.append(len(pieces))
        return real(domain, pieces)

    monkeypatch.setattr(module, "digests", counted)
    before = state()
    tree = before.tree()
    after = Snapshot('{"updates":4}', {name: tensor.clone() for name, tensor in before.tensors.items()})
    after.tensors["model.wide"].view(-1)[CHUNK_BYTES // 4 + 70_000] += (
        1  # far behind the first bytes of a chunk
    )
    assert after.tree((before, tree)) == after.tree()
    assert hashed == [7, 1, 7]
    smaller = Snapshot("", {"model.small": before.tensors["model.small"]})
    assert smaller.tree((before, tree)) == smaller.tree()
