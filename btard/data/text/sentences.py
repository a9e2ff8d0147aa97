"""Text into sentences, by one regular expression: the same on every machine."""

from __future__ import annotations

import re

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_END = re.compile(r"(?<=[.!?])[\"')\]\u201d\u2019]* +(?=[A-Z0-9\"'(\[\u201c])")
"""Behind a full stop and its kin, with closing quotes, before a capital, a digit or an opening mark."""


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text in order, white space made single blanks, empty ones left out.

    A blank line ends a sentence, and so does `.`, `!` or `?` before a capital letter, a digit, a quote or a
    bracket. It is coarse (it cuts behind "Mr."), and needs no model and no language's list of abbreviations.
    """
    sentences: list[str] = []
    for paragraph in _BLANK_LINE.split(text):
        flat = " ".join(paragraph.split())
        start = 0
        for match in _END.finditer(flat):
            sentences.append(flat[start : match.end()].rstrip())
            start = match.end()
        if flat[start:]:
            sentences.append(flat[start:])
    return sentences
