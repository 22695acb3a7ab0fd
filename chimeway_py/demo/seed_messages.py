"""What a demo tenant's messages need: whoever carries them, stored words, people, a segment and a cap.

What somebody changed since the last start stays changed; only the addresses of the carriers follow them.
"""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from chimeway_py.demo.carriers import CHAT, CHAT_DOWN, subscription
from deliveries.broadcasts.segments import put_segment
from deliveries.models import Provider, Recipient, Segment, SendingRules, Template
from deliveries.recipients.upsert import put_recipient
from deliveries.services.providers import put_provider
from deliveries.timing.storing import put_sending_rules
from tenants.models import Tenant
from tenants.scope import tenant_scope

SAMPLES = Path(__file__).resolve().parents[2] / "deliveries" / "samples"
PEOPLE: dict[str, dict[str, Any]] = {
    "ada": {
        "addresses": {"email": "ada@example.com", "sms": "+441632960001"},
        "zone": "Europe/London",
        "locale": "en-GB",
        "attributes": {"name": "Ada", "plan": "pro"},
    },
    "lise": {
        "addresses": {"email": "lise@example.at", "sms": "+436640000001"},
        "zone": "Europe/Vienna",
        "locale": "de-AT",
        "quiet_hours": [{"from": "22:00", "to": "07:00"}],
        "attributes": {"name": "Lise", "plan": "pro"},
    },
    "katherine": {
        "addresses": {"email": "katherine@example.com", "sms": "+12025550100"},  # ends in 00: it is never reached
        "zone": "America/New_York",
        "locale": "en-US",
        "attributes": {"name": "Katherine", "plan": "free"},
    },
}
SEGMENT = {"path": "recipient.attributes.plan", "eq": "pro"}
CAP = {"name": "texts_a_day", "channel": "sms", "limit": 20, "per": "P1D", "then": "delay"}


def seed_messages(tenant_id: int, carriers_url: str) -> None:
    """Make what is missing."""
    _seed_providers(tenant_id, carriers_url)
    with tenant_scope(tenant_id):
        slug = Tenant.objects.get(pk=tenant_id).slug
        known = set(Recipient.objects.filter(tenant_id=tenant_id, external_id__in=PEOPLE).values_list("external_id"))
        has_words = Template.objects.filter(tenant_id=tenant_id, key="parcel_sent").exists()
        has_segment = Segment.objects.filter(tenant_id=tenant_id, key="pro").exists()
        has_rules = SendingRules.objects.filter(tenant_id=tenant_id).exists()
    if not has_words:
        call_command("templates", "push", str(SAMPLES), tenant=slug, stdout=StringIO())
    if not has_segment:
        put_segment(tenant_id=tenant_id, key="pro", condition=SEGMENT, name="Customers of the plan Pro")
    if not has_rules:
        put_sending_rules(tenant_id=tenant_id, quiet_hours=[], caps=[CAP])
    for person in (one for one in PEOPLE if (one,) not in known):
        said = {
            **PEOPLE[person],
            "addresses": {**PEOPLE[person]["addresses"], "push": subscription(carriers_url, person)},
        }
        put_recipient(tenant_id=tenant_id, external_id=person, said=said)


def _seed_providers(tenant_id: int, url: str) -> None:
    """Text messages, push, and two chats, of which the one that is asked first is down."""
    config = {"account_sid": "ACdemo", "from": "+15005550006", "url": url}
    wanted: dict[str, dict[str, Any]] = {
        "texts": {"kind": "twilio", "config": config, "credentials": {"auth_token": "only-known-to-the-demo"}},
        "browsers": {"kind": "web_push", "config": {"contact": "mailto:operator@example.com"}},
        "team_chat": {"kind": "teams", "credentials": {"url": url + CHAT_DOWN}},
        "team_chat_too": {"kind": "teams", "credentials": {"url": url + CHAT}, "position": 2},
    }
    with tenant_scope(tenant_id):
        rows = Provider.objects.filter(tenant_id=tenant_id, key__in=wanted)
        known = {row.key: _url(row.config, row.credentials) for row in rows}
    for key, said in wanted.items():
        if known.get(key) != _url(said.get("config", {}), said.get("credentials", {})):
            put_provider(tenant_id=tenant_id, key=key, **said)


def _url(config: Mapping[str, Any], credentials: Mapping[str, str]) -> str:
    """Where the carrier listens, which may be another port than last time."""
    return str(credentials.get("url") or config.get("url") or "where the browser says")
