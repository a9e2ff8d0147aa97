"""A vocabulary: what a model must know of it, and the digest of the tokenizer that has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from btard.crypto import digest
from btard.errors import ConfigurationError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORDPIECES = Path(__file__).parent / "wordpieces.txt"
"""The vocabulary that comes with btard, one piece a line. `tokenizers` trains another one in each process, so
it is a file; examples/albert/README.md has the command that made it."""

_SPECIAL = {"pad": ("[PAD]", "<pad>"), "cls": ("[CLS]",), "sep": ("[SEP]",), "mask": ("[MASK]",)}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`size` tokens, numbered from 0, among them the four special ones; `digest` is that of its tokenizer's
    file, in hexadecimal. Raises ConfigurationError if the numbers cannot be."""

    size: int
    pad: int
    cls: int
    sep: int
    mask: int
    digest: str

    def __post_init__(self) -> None:
        special = (self.pad, self.cls, self.sep, self.mask)
        if len(set(special)) < len(special) or not all(0 <= token < self.size for token in special):
            raise ConfigurationError(
                f"the special tokens are {special} of {self.size}: use a tokenizer of ALBERT or BERT"
            )


def wordpieces(path: Path = WORDPIECES) -> tuple[Tokenizer, Vocabulary]:
    """Return a WordPiece tokenizer of lower-case text and its vocabulary, of a file with one piece a line.

    Raises ConfigurationError if `tokenizers` or the file is missing."""
    tokenizers = _tokenizers()
    raw = _read(path)
    pieces = {piece: index for index, piece in enumerate(raw.decode().split("\n")[:-1])}
    tokenizer: Tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return tokenizer, _vocabulary(tokenizer, raw)


def read_tokenizer(path: Path) -> tuple[Tokenizer, Vocabulary]:
    """Return the tokenizer in a `tokenizer.json` of a Hugging Face model, and its vocabulary.

    Raises ConfigurationError if `tokenizers` is missing, or the file, or one of the special tokens in it."""
    tokenizers = _tokenizers()
    raw = _read(path)
    try:
        tokenizer: Tokenizer = tokenizers.Tokenizer.from_str(raw.decode())
    except Exception as error:  # the library raises nothing more specific
        raise ConfigurationError(f"{path} is not a tokenizer.json: fetch it again") from error
    return tokenizer, _vocabulary(tokenizer, raw)


def _vocabulary(tokenizer: Tokenizer, raw: bytes) -> Vocabulary:
    numbers: dict[str, int] = {}
    for name, spellings in _SPECIAL.items():
        found = [token for token in map(tokenizer.token_to_id, spellings) if token is not None]
        if not found:
            raise ConfigurationError(
                f"the vocabulary has no token {spellings[0]}: use a tokenizer of ALBERT or BERT"
            )
        numbers[name] = found[0]
    name = digest("vocabulary", raw).hex()
    return Vocabulary(size=tokenizer.get_vocab_size(), digest=name, **numbers)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the vocabulary {path} cannot be read: {error.strerror}") from error


def _tokenizers() -> ModuleType:
    try:
        import tokenizers
    except ImportError as error:
        raise ConfigurationError("text needs tokenizers: pip install 'btard[albert]'") from error
    return tokenizers
