"""Faults of a deliver step's template: missing, unreadable, or speaking of what a run does not have."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from chimeway_py.rendering import TemplateFault, check_source
from deliveries.missing import missing_variables, schema_faults
from deliveries.models import Category
from deliveries.services.template_checks import place_of
from deliveries.wording import Asked, stored_wordings
from tenants.scope import tenant_scope
from workflows.steps.base import CheckContext, Fault


def template_faults(step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    """A declared template is read here. A stored one was read before; it has to be there and to fit the data."""
    key = step.get("template")
    if key is None:
        return
    declared = context.document.get("templates", {})
    if isinstance(declared, Mapping) and key in declared:
        if _is_first_use(step, context):
            yield from _source_faults(declared[key], f"/templates/{key}")
            if isinstance(declared[key], Mapping):
                yield from schema_faults(context.document, declared[key], f"/templates/{key}")
    elif context.tenant_id is not None:
        yield from _stored_faults(step, path, context)


def _stored_faults(step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    assert context.tenant_id is not None
    version = step.get("template_version")
    asked = Asked(step["channel"], step["template"], version)
    with tenant_scope(context.tenant_id):
        wording = stored_wordings(context.tenant_id, [asked]).get(asked)
    if wording is None:
        which = f"version {version} of the template" if version else "template"
        message = f"There is no {which} {step['template']!r} for the channel {step['channel']}."
        yield fault(f"{path}/template", "unknown_template", message)
        return
    for parts in wording.wordings.values():
        for told in schema_faults(context.document, parts, ""):
            yield fault(f"{path}/template", told["code"], f"In its {told['path'].lstrip('/')}: {told['message']}")
    for locale, part, source in wording.around:
        for _, code, message in missing_variables(context.document, {part: source}):
            where = place_of(locale, part).lstrip("/")
            yield fault(f"{path}/template", code, f"In {where} of its layout {wording.layout_key}: {message}")


def category_faults(step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    """A category that the tenant did not name: nobody could have preferred anything about it."""
    key, at = (step["category"], f"{path}/category") if "category" in step else (None, "/category")
    if key is None and _is_first_delivery(step, context):
        key = context.document.get("category")
    if not isinstance(key, str) or context.tenant_id is None:
        return
    with tenant_scope(context.tenant_id):
        known = Category.objects.filter(tenant_id=context.tenant_id, key=key).exists()
    if not known:
        yield fault(at, "unknown_category", f"There is no category {key!r}; PUT /v1/categories/{key} makes it.")


def _is_first_delivery(step: Mapping[str, Any], context: CheckContext) -> bool:
    """What the document says for all of its messages is faulty once."""
    told = (other for other in context.document["steps"] if isinstance(other, Mapping) and "category" not in other)
    return next((other for other in told if other.get("kind") == step.get("kind")), step) is step


def _is_first_use(step: Mapping[str, Any], context: CheckContext) -> bool:
    """A template used by two steps is faulty once."""
    users = (user for other in context.document["steps"] if isinstance(other, Mapping) for user in _users(other))
    first = next((key for key, template in users if template == step["template"]), step["key"])
    return bool(first == step["key"])


def _users(step: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Who may name a template: a step, and what undoes it; each with its key."""
    yield step.get("key"), step.get("template")
    if isinstance(step.get("compensate"), Mapping):
        yield f"{step.get('key')}.compensate", step["compensate"].get("template")


def _source_faults(wording: Any, path: str) -> Iterator[Fault]:
    if not isinstance(wording, Mapping):
        return
    for part, source in wording.items():
        try:
            check_source(source if isinstance(source, str) else "", html=part == "html")
        except TemplateFault as error:
            yield fault(f"{path}/{part}", error.code, error.message)
