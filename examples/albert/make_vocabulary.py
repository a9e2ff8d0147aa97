"""Train the WordPiece vocabulary that comes with btard on the text that comes with Python, and write it.

`tokenizers` breaks ties differently in each process, so another run gives another file: the one in the
repository is what peers share.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from pydoc_data.topics import topics

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def main() -> None:
    """Write a vocabulary of `--size` pieces, one a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, required=True)
    options = parser.parse_args()
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=options.size, special_tokens=SPECIAL, show_progress=False, limit_alphabet=200
    )
    tokenizer.train_from_iterator((text for _, text in sorted(topics.items())), trainer)
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    options.out.write_text("".join(f"{piece}\n" for piece, _ in pieces), encoding="utf-8")


if __name__ == "__main__":
    main()
