"""The pages of the documentation, cut into what tests look at: fenced blocks, links, headings, tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^(?P<ticks>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=ticks)[ ]*$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<words>.+)$", re.MULTILINE)
_SCHEMA = re.compile(r"<!-- schema: (\w+) -->\n\Z")


@dataclass(frozen=True)
class Block:
    """One fenced block. `schema` is the name in a comment `<!-- schema: Receipt -->` right before it: of what it is an
    example.
    """

    page: Path
    line: int
    language: str
    text: str
    schema: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def page(name: str) -> Path:
    """The page `README.md` or `docs/<name>`."""
    return ROOT / name if (ROOT / name).exists() else ROOT / "docs" / name


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page in these languages (of all, when none is named), in order."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        before = text[: match.start()]
        schema = _SCHEMA.search(before)
        block = Block(page, before.count("\n") + 1, match["language"], match["text"], schema[1] if schema else "")
        if not languages or block.language in languages:
            found.append(block)
    return found


def all_blocks(*languages: str) -> list[Block]:
    """The fenced blocks of every page in these languages."""
    return [block for page in PAGES for block in blocks(page, *languages)]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """The targets of a page's links and images that stay inside the repository."""
    targets = [match["target"] for match in _LINK.finditer(prose(page))]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where Markdown is shown."""
    words = (re.sub(r"[^\w\- ]", "", match["words"].lower()) for match in _HEADING.finditer(prose(page)))
    return {said.replace(" ", "-") for said in words}


def rows_under(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, its own first row left out."""
    text = page.read_text()
    start = re.search(rf"^#+ {re.escape(heading)}$", text, re.MULTILINE)
    assert start, f"{page.name} has no heading {heading!r}"
    return list(_rows(text[start.end() :]))


def _rows(text: str) -> Iterator[list[str]]:
    started = False
    for line in text.splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
            if started and not set("".join(cells)) <= set("-: "):
                yield cells
            started = True
        elif started:
            return


def code(cell: str) -> str:
    """The first `word` in backticks of a cell, or the cell itself."""
    found = re.search(r"`([^`]+)`", cell)
    return found[1] if found else cell
