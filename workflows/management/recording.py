"""What commands do to a tenant stands in the record of operators."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tenants.audit.commands import Rows, recorded
from tenants.scope import tenant_scope
from workflows.models import Run

# What a verb was about, if not about runs.
_NAMED = ("digest", "what", "hold", "value", "key", "external_id", "plan", "cancel", "workflow", "event")


@contextmanager
def in_the_name(
    tenant_id: int, command: str, options: Mapping[str, Any], rows: Callable[[], Rows] | None = None
) -> Iterator[None]:
    """Record what is done inside, with what it changed of `rows`, or of the runs it names.

    Verbs without `--by` only look.
    """
    if "by" not in options or options.get("dry_run"):
        yield
        return
    ref = next((str(options[name]) for name in _NAMED if options.get(name)), "")
    with recorded(tenant_id, command, options, rows or _runs_named(tenant_id, options), ref):
        yield


def _runs_named(tenant_id: int, options: Mapping[str, Any]) -> Rows:
    named = [*(options.get("runs") or []), *filter(None, [options.get("run")])]
    with tenant_scope(tenant_id):
        return list(Run.objects.for_tenant(tenant_id).filter(public_id__in=named)) if named else []
