"""What is on file about the recipients of some messages, read in two queries, however many there are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deliveries.models import Recipient
from deliveries.preferences.deciding import Rule
from workflows.store.sql import fetch

# One statement for what are small tables, so that a batch of messages costs one round trip more and not four.
_FILED = """
SELECT 'rule', p.subject, to_jsonb(p) FROM deliveries_preference p
 WHERE p.tenant_id = %(tenant)s AND p.subject = ANY(%(subjects)s)
UNION ALL
SELECT 'required', c.key, 'null'::jsonb FROM deliveries_category c WHERE c.tenant_id = %(tenant)s AND c.required
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Recipients by external id, their rules, the tenant's own, and the categories that nobody may refuse."""

    recipients: Mapping[str, Recipient]
    rules: Mapping[str, list[Rule]] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


def standing_of(tenant_id: int, external_ids: Iterable[str]) -> Standing:
    """What is on file now. Needs the tenant's scope."""
    wanted = sorted(set(external_ids) - {""})
    found = Recipient.objects.filter(tenant_id=tenant_id, external_id__in=wanted)
    rules: dict[str, list[Rule]] = {}
    required = set()
    for kind, name, row in fetch(_FILED, {"tenant": tenant_id, "subjects": ["", *wanted]}):
        if kind == "rule":
            rules.setdefault(name, []).append(_rule(row))
        else:
            required.add(name)
    return Standing({one.external_id: one for one in found}, rules, frozenset(required))


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(**{name: row[name] for name in ("allowed", "category", "workflow", "channel", "when")})
