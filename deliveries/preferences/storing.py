"""Storing preferences: a recipient's, or the tenant's own for everybody who said nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from chimeway_py.errors import Invalid
from deliveries.models import Category, Preference
from deliveries.preferences.reading import about, named_workflows, rule_faults
from deliveries.recipients.reading import subject_faults
from deliveries.timing.releasing import PREFERENCES, judge_held_anew, judge_theirs_anew
from tenants.scope import tenant_scope
from workflows.models import Definition

DEFAULTS = ""
"""The subject of the rules that hold for everybody who said nothing."""
_ABOUT = ["category", "workflow", "channel"]


def put_preferences(
    *, tenant_id: int, subject: str, rules: Sequence[Mapping[str, Any]], said_by: str, replace: bool
) -> list[Preference]:
    """All rules of a recipient as they are now, in order of what they are about.

    With `replace` these are all there are; else each takes the place of the rule about the same, and one whose
    `allowed` is null takes that rule away. Raises `Invalid` with every fault.
    """
    with tenant_scope(tenant_id) as scope:
        _check(tenant_id, subject, rules, removes=not replace)
        mine = rules_of(tenant_id, subject)
        before = {(rule.category, rule.workflow, rule.channel): rule for rule in mine.select_for_update(no_key=True)}
        wanted = {about(rule): rule for rule in rules}
        kept = {name for name, rule in wanted.items() if rule["allowed"] is not None}
        gone = (before.keys() if replace else wanted.keys()) - kept
        mine.filter(id__in=[before[name].pk for name in gone if name in before]).delete()
        changed = [
            _row(tenant_id, subject, name, wanted[name], said_by)
            for name in sorted(kept)
            if name not in before or not _says(before[name], wanted[name])
        ]
        for row in changed:
            row.updated_at = scope.now
        _upsert(changed)
        if changed or gone & before.keys():
            _judge_anew(tenant_id, subject, scope.now)
        return list(rules_of(tenant_id, subject))


def rules_of(tenant_id: int, subject: str) -> QuerySet[Preference]:
    """A recipient's rules, or the tenant's defaults."""
    return Preference.objects.filter(tenant_id=tenant_id, subject=subject).order_by(*_ABOUT)


def refuse(*, tenant_id: int, subject: str, category: str, workflow: str, channel: str, said_by: str) -> bool:
    """No to all that matches, whatever was said about just that before. False: it was said already, nothing changes."""
    rule = {"category": category, "workflow": workflow, "channel": channel, "allowed": False}
    with tenant_scope(tenant_id) as scope:
        mine = rules_of(tenant_id, subject).filter(category=category, workflow=workflow, channel=channel).first()
        if mine is not None and _says(mine, rule):
            return False
        row = _row(tenant_id, subject, about(rule), rule, said_by)
        row.updated_at = scope.now
        _upsert([row])
        _judge_anew(tenant_id, subject, scope.now)
        return True


def _judge_anew(tenant_id: int, subject: str, now: datetime) -> None:
    """Who has refused meanwhile what is held for them is not to wait for that."""
    if subject == DEFAULTS:
        judge_held_anew(tenant_id=tenant_id, changed=PREFERENCES, now=now)
    else:
        judge_theirs_anew(tenant_id=tenant_id, changed=PREFERENCES, now=now, subjects=[subject])


def _upsert(rows: list[Preference]) -> None:
    """Of two who say something about the same at once, the one who commits last has the last word."""
    Preference.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["tenant", "subject", *_ABOUT],
        update_fields=["allowed", "when", "said_by", "updated_at"],
    )


def _row(tenant_id: int, subject: str, name: tuple[str, ...], rule: Mapping[str, Any], said_by: str) -> Preference:
    named = dict(zip(_ABOUT, name, strict=True))
    said = {"allowed": rule["allowed"], "when": rule.get("when"), "said_by": said_by}
    return Preference(tenant_id=tenant_id, subject=subject, **named, **said)


def _says(row: Preference, rule: Mapping[str, Any]) -> bool:
    return (row.allowed, row.when) == (rule["allowed"], rule.get("when"))


def _check(tenant_id: int, subject: str, rules: Any, *, removes: bool) -> None:
    found = dict(Category.objects.filter(tenant_id=tenant_id).values_list("key", "required"))
    required = {key for key, is_required in found.items() if is_required}
    faults = [] if subject == DEFAULTS else [*subject_faults(subject, "/id")]
    workflows = set() if faults else _known_workflows(tenant_id, subject, named_workflows(rules))
    faults = [*rule_faults(rules, found, required, workflows, removes=removes), *faults]
    if faults:
        raise Invalid("The preferences are not valid.", faults)


def _known_workflows(tenant_id: int, subject: str, named: set[str]) -> set[str]:
    """Those of them that have a definition, in whatever version, or stand in a rule of the subject's already."""
    if not named:
        return set()
    defined = Definition.objects.filter(tenant_id=tenant_id, key__in=named).values_list("key", flat=True)
    said = rules_of(tenant_id, subject).filter(workflow__in=named).values_list("workflow", flat=True)
    return {*defined, *said}
