"""A text cut into spans that fit a sequence, and a pair of segments drawn from each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from btard.crypto import Draw
from btard.data.text import TokenisedText
from btard.errors import ConfigurationError

SPECIAL_TOKENS = 3
"""Of a sequence: [CLS] A [SEP] B [SEP]."""

LENGTH_MIN = 8

Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Runs of sentences of one document, each of two or more and of `room` tokens at most.

    `ends` (S,) are the ends of sentences in the text's tokens; a sentence longer than half of the room is
    cut. Span i has the sentences `first[i]` to `last[i]` - 1.
    """

    text: TokenisedText
    ends: Tokens
    first: Tokens
    last: Tokens

    def __len__(self) -> int:
        return len(self.first)

    def pair(self, index: int, draw: Draw) -> tuple[Tokens, Tokens, bool]:
        """Return the two segments of a span, and whether they are in the wrong order.

        Two draws: where the span is cut, at the end of any sentence but its last, and the order, wrong in
        half of the cases (sentence-order prediction, Lan et al. 2020, section 3.1)."""
        first, last = int(self.first[index]), int(self.last[index])
        cut = first + 1 + draw.below(last - first - 1)
        swapped = draw.below(2) == 1
        begin = int(self.ends[first - 1]) if first else 0
        middle, end = int(self.ends[cut - 1]), int(self.ends[last - 1])
        one, two = (self.text.tokens[a:b].astype(np.int64) for a, b in ((begin, middle), (middle, end)))
        return (two, one, True) if swapped else (one, two, False)


def cut_into_spans(text: TokenisedText, length: int) -> Spans:
    """Return the spans of a text for sequences of `length` tokens, each filled as far as whole sentences go.

    A document's last sentence is left out if it would be alone. Raises ConfigurationError for a text in which
    no two sentences fit, and for a length below 8."""
    if length < LENGTH_MIN:
        raise ConfigurationError(f"length is {length}: use at least {LENGTH_MIN} tokens")
    room = length - SPECIAL_TOKENS
    ends: list[int] = []
    first: list[int] = []
    last: list[int] = []
    position = sentence = 0
    for document_end in text.document_ends.tolist():
        opened, opened_at = len(ends), position
        for end in text.sentence_ends[sentence:document_end].tolist():
            while position < end:
                piece_end = min(end, position + room // 2)
                if piece_end - opened_at > room:
                    first.append(opened)
                    last.append(len(ends))
                    opened, opened_at = len(ends), position
                ends.append(piece_end)
                position = piece_end
        sentence = document_end
        if len(ends) - opened > 1:
            first.append(opened)
            last.append(len(ends))
    if not first:
        raise ConfigurationError("the text has no two sentences in a document: give a longer one")
    return Spans(text, *(np.array(each, np.int64) for each in (ends, first, last)))
