"""Definitions in files, one to a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflows.definitions.loader import MOST_BYTES, form_of, load


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The files that `paths` name; a folder stands for the YAML and JSON files in it and below, in order of name."""
    found: list[Path] = []
    for path in paths:
        found += sorted(filter(_is_definition, path.rglob("*"))) if path.is_dir() else [path]
    return list(dict.fromkeys(found))


def load_file(path: Path) -> dict[str, Any]:
    """The document in a file, not yet validated. A file without a known ending is read as YAML.

    Raises `Invalid` for what cannot be read as a document, and OSError for what cannot be read at all.
    """
    with path.open("rb") as file:
        return load(file.read(MOST_BYTES + 1), form_of(path.name) or "yaml")


def _is_definition(path: Path) -> bool:
    return path.is_file() and form_of(path.name) is not None
