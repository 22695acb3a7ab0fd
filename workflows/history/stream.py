"""Reading long histories lazily: a run's transitions, a tenant's runs, each part in a transaction of its own."""

import uuid
from collections.abc import Iterator

from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.errors import RunNotFound
from workflows.history.reading import LINES, lines_after
from workflows.inspection import TraceLine
from workflows.models import Run

LAST_SEQ = 2**31 - 1
_RUNS = """
SELECT id, public_id FROM workflows_run
 WHERE tenant_id = %(tenant)s AND id > %(after)s AND (%(workflow)s::text IS NULL OR definition_key = %(workflow)s)
   AND (%(state)s::text IS NULL OR state = %(state)s) AND (%(subject)s::text IS NULL OR subject = %(subject)s)
 ORDER BY id LIMIT %(limit)s
"""


def stream_transitions(*, tenant_id: int, public_id: uuid.UUID, after: int = 0) -> Iterator[TraceLine]:
    """The lines of a run's trace after `seq` `after`, in order, read in parts as they are asked for.

    Lines that are added meanwhile are told, too. Whoever keeps the last `seq` goes on from there: numbers have no gaps,
    and none is ever added before one that was seen. Raises `RunNotFound` at once.
    """
    with tenant_scope(tenant_id):
        run_id = Run.objects.for_tenant(tenant_id).filter(public_id=public_id).values_list("id", flat=True).first()
    if run_id is None:
        raise RunNotFound("No such run.")
    return _lines(tenant_id, run_id, after)


def stream_runs(
    *, tenant_id: int, workflow: str | None = None, state: str | None = None, subject: str | None = None
) -> Iterator[uuid.UUID]:
    """The public ids of the tenant's runs that meet what is given, oldest first, read in parts when asked for."""
    asked = {"tenant": tenant_id, "workflow": workflow, "state": state, "subject": subject, "limit": LINES}
    after = 0
    while True:
        with tenant_scope(tenant_id):
            rows = fetch(_RUNS, asked | {"after": after})
        yield from (row[1] for row in rows)
        if len(rows) < LINES:
            return
        after = rows[-1][0]


def run_exists(*, tenant_id: int, public_id: uuid.UUID) -> bool:
    """Whether the tenant has such a run. Another tenant's does not exist."""
    with tenant_scope(tenant_id):
        return Run.objects.for_tenant(tenant_id).filter(public_id=public_id).exists()


def _lines(tenant_id: int, run_id: int, after: int) -> Iterator[TraceLine]:
    while True:
        with tenant_scope(tenant_id):
            part = list(lines_after(tenant_id, run_id, after, min(after + LINES, LAST_SEQ)))
        yield from part
        if len(part) < LINES:
            return
        after = part[-1].seq
