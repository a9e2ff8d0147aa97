"""A planted bug: where it goes, what it changes, and what must notice it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """`before`, which occurs once in the file `path`, becomes `after`; so do the pairs of `more`, if one
    change alone would break honest peers. Some of the tests `found_by` (pytest's names) must then fail."""

    name: str
    path: str
    before: str
    after: str
    found_by: tuple[str, ...]
    more: tuple[tuple[str, str], ...] = ()

    @property
    def changes(self) -> tuple[tuple[str, str], ...]:
        """What becomes what, in order."""
        return ((self.before, self.after), *self.more)

    def plant(self, root: Path) -> str:
        """Return the text of the file below `root` with the bug in it; ValueError if it does not fit."""
        text = (root / self.path).read_text(encoding="utf-8")
        for before, after in self.changes:
            if text.count(before) != 1:
                raise ValueError(f"{self.name}: {before!r} occurs {text.count(before)} times in {self.path}")
            text = text.replace(before, after)
        return text
