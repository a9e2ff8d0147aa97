"""The documents name files that exist, and their links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    (*ROOT.glob("*.md"), *(f for top in ("protocols", "deploy") for f in (ROOT / top).rglob("*.md")))
)
FOLDERS = "btard|tests|protocols|examples|benchmarks|peers|deploy"
OF_THE_PACKAGE = ("architecture.md", "glossary.md")


def named(document: Path) -> Iterator[Path]:
    """Files that a document links to, or names with their folder; two documents name those of `btard/`."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if not link.startswith(("https:", "NNNN")):
            yield document.parent / link
    for word in re.findall(r"`([\w./-]+)`", text):
        if re.match(rf"({FOLDERS})/\D", word) and not word.startswith("benchmarks/results"):
            yield ROOT / word
        elif document.name in OF_THE_PACKAGE and re.fullmatch(r"(?!btard/)\w+/(\w+\.py)?", word):
            yield ROOT / "btard" / word


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(document: Path) -> None:
    assert [str(path) for path in named(document) if not path.exists()] == []
