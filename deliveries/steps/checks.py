"""Faults of a deliver step's template: missing, unreadable, or speaking of what a run does not have."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from chimeway_py.rendering import TemplateFault, check_source
from deliveries.wording import stored_wordings
from tenants.scope import tenant_scope
from workflows.steps.base import CheckContext, Fault


def template_faults(step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    """A declared template is read here; a stored one was read when it was stored, and only has to be there."""
    key = step.get("template")
    if key is None:
        return
    declared = context.document.get("templates", {})
    if isinstance(declared, Mapping) and key in declared:
        if _is_first_use(step, context):
            yield from _source_faults(declared[key], f"/templates/{key}")
    elif context.tenant_id is not None:
        with tenant_scope(context.tenant_id):
            stored = stored_wordings(context.tenant_id, step["channel"], [key])
        if not stored:
            message = f"There is no template {key!r} for the channel {step['channel']}."
            yield fault(f"{path}/template", "unknown_template", message)


def _is_first_use(step: Mapping[str, Any], context: CheckContext) -> bool:
    """A template used by two steps is faulty once."""
    users = (other for other in context.document["steps"] if isinstance(other, Mapping))
    return next((other for other in users if other.get("template") == step["template"]), step) is step


def _source_faults(wording: Any, path: str) -> Iterator[Fault]:
    if not isinstance(wording, Mapping):
        return
    for part, source in wording.items():
        try:
            check_source(source if isinstance(source, str) else "", html=part == "html")
        except TemplateFault as error:
            yield fault(f"{path}/{part}", error.code, error.message)
