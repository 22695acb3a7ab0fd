"""Commands that are given in somebody's name stand in the record of operators."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tenants.audit.commands import recorded
from tenants.scope import tenant_scope
from workflows.models import Run

# What a verb was about, if not about runs.
_NAMED = ("digest", "what", "hold", "value", "key", "external_id", "plan", "cancel", "workflow")


@contextmanager
def in_the_name(tenant_id: int, command: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Record what is done inside, with what it changed of the runs it names. Verbs without `--by` only look."""
    if "by" not in options or options.get("dry_run"):
        yield
        return
    named = [*(options.get("runs") or []), *filter(None, [options.get("run")])]
    with tenant_scope(tenant_id):
        rows = list(Run.objects.for_tenant(tenant_id).filter(public_id__in=named)) if named else []
    ref = next((str(options[name]) for name in _NAMED if options.get(name)), "")
    with recorded(tenant_id, command, options, rows, ref):
        yield
