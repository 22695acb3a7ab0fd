"""Whole files of exports: every run of one is brought in, or none."""

from collections.abc import Iterable, Iterator, Sequence

from tenants.scope import tenant_scope
from workflows.history.export_file import text_of
from workflows.history.importing import Imported, import_run

MOST_BYTES = 8 * 1024 * 1024


def import_file(*, tenant_id: int, raw: bytes, live: bool = False) -> list[Imported]:
    """Bring in every run of a file, in one transaction. Raises as `import_run`, naming lines of the file."""
    lines, first, imported = _decoded(raw), 1, []
    with tenant_scope(tenant_id):
        for one in exports(lines) if lines else [[]]:
            imported.append(import_run(tenant_id=tenant_id, lines=one, live=live, first=first))
            first += len(one)
    return imported


def exports(lines: Iterable[str]) -> Iterator[list[str]]:
    """The lines of one run after the other; what follows the last end is an export without one."""
    one: list[str] = []
    for line in lines:
        one.append(line)
        if line.startswith('{"kind":"end"'):
            yield one
            one = []
    if one:
        yield one


def _decoded(raw: bytes) -> Sequence[str]:
    """The lines, without empty ones after the last."""
    whole = raw.rstrip(b"\r\n \t")
    return [text_of(number, line) for number, line in enumerate(whole.split(b"\n"), 1)] if whole else []
