"""What is on file about the recipients of some messages, read in two queries, however many there are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deliveries.models import Recipient
from deliveries.preferences.deciding import Rule
from tenants.sql import fetch

# One statement for what are small tables, so that a batch of messages costs one round trip more and not four.
_FILED = """
SELECT 'rule', p.subject, to_jsonb(p) FROM deliveries_preference p
 WHERE p.tenant_id = %(tenant)s AND p.subject = ANY(%(subjects)s)
UNION ALL
SELECT 'required', c.key, 'null'::jsonb FROM deliveries_category c WHERE c.tenant_id = %(tenant)s AND c.required
UNION ALL
SELECT 'sending', t.time_zone, coalesce(to_jsonb(s), '{}'::jsonb) FROM tenants_tenant t
  LEFT JOIN deliveries_sendingrules s ON s.tenant_id = t.id WHERE t.id = %(tenant)s
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Recipients by external id, their rules, the tenant's own, and the categories that nobody may refuse.

    `zone`, `quiet_hours` and `caps` are the tenant's.
    """

    recipients: Mapping[str, Recipient]
    rules: Mapping[str, list[Rule]] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    zone: str = "UTC"
    quiet_hours: Sequence[Mapping[str, Any]] = ()
    caps: Sequence[Mapping[str, Any]] = ()


def standing_of(tenant_id: int, external_ids: Iterable[str]) -> Standing:
    """What is on file now. Needs the tenant's scope."""
    wanted = sorted(set(external_ids) - {""})
    found = Recipient.objects.filter(tenant_id=tenant_id, external_id__in=wanted)
    rules: dict[str, list[Rule]] = {}
    required, zone, sending = set(), "UTC", {}
    for kind, name, row in fetch(_FILED, {"tenant": tenant_id, "subjects": ["", *wanted]}):
        if kind == "rule":
            rules.setdefault(name, []).append(_rule(row))
        elif kind == "required":
            required.add(name)
        else:
            zone, sending = name, row
    tenants = {name: sending.get(name, ()) for name in ("quiet_hours", "caps")}
    return Standing({one.external_id: one for one in found}, rules, frozenset(required), zone, **tenants)


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(**{name: row[name] for name in ("allowed", "category", "workflow", "channel", "when")})
