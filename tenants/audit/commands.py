"""What is done on the command line in somebody's name stands in the same record as what is done at the admin."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models import Model

from tenants.audit.facts import facts_of, with_changes
from tenants.scope import tenant_scope
from tenants.services.operators import Act, Operator, record_acts

Rows = Sequence[Model]


@contextmanager
def recorded(
    tenant_id: int, command: str, options: Mapping[str, Any], rows: Rows = (), ref: str = ""
) -> Iterator[None]:
    """Record what is done inside as done by `options["by"]`, with what became different of `rows`. A refusal is not.

    Without rows, `ref` names what it was about.
    """
    with tenant_scope(tenant_id):
        before = {row.pk: facts_of(row) for row in rows}
    yield
    words = command.split()
    by = Operator(0, str(options.get("by") or "command line")[:150], {}, via="command")
    with tenant_scope(tenant_id):
        acts = with_changes([Act(str(row._meta.model_name), _ref(row)) for row in rows], rows, before)
        done = acts or [Act(words[0], ref[:200])]
        reason = str(options.get("reason") or "")[:200]
        record_acts(tenant_id=tenant_id, operator=by, action=" ".join(words)[:32], reason=reason, acts=done)


def _ref(row: Any) -> str:
    return str(getattr(row, "public_id", None) or row.pk)
