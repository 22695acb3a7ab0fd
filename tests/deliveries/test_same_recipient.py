"""One recipient id, one address, two tenants: whatever the one's bob says, does or suffers, the other's has no part."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.services.feedback import record_bounce
from tenants.models import Tenant
from tests.deliveries.conftest import Journey

ADDRESS = "bob-of-both@example.com"
WORDS = {"hello": {"subject": "Hello", "text": "{{ recipient.attributes.name }}"}}
MAIL = {"channel": "email", "template": "hello"}
CAP = {"name": "one", "channel": "email", "limit": 1, "per": "P1D", "then": "drop"}
WHOLE_DAY = [{"from": "00:00", "to": "12:00"}, {"from": "12:00", "to": "00:00"}]


@pytest.fixture
def both(
    tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., APIClient], smtp_sink: Mailbox
) -> list[tuple[Journey, APIClient]]:
    """Two tenants with the same definition, and a recipient of the same id at the same address."""
    found = []
    for owner in (tenant, other_tenant):
        journey, client = Journey(owner), client_of(owner)
        journey.key = "the_same"
        journey.publish(
            {"kind": "throttle", "window": "P1D", "threshold": 2},
            {"channel": "in_app", "template": "hello"},
            MAIL,
            {"kind": "digest", "window": {"fixed": "P1D"}},
            templates=WORDS,
        )
        said = {"addresses": {"email": ADDRESS}, "attributes": {"name": f"Bob of {owner.slug}"}}
        assert client.put("/v1/recipients/bob", said).status_code == 201
        found.append((journey, client))
    return found


def seen(client: APIClient) -> dict[str, Any]:
    """Everything that a tenant can read of bob, without ids."""
    history = client.get("/v1/recipients/bob/history").json()["items"]
    by_address = client.post("/v1/deliveries/search", {"address": ADDRESS}).json()["items"]
    return {
        "sent": sorted((one["channel"], one["status"], one["error"]) for one in history),
        "to the address": sorted((one["channel"], one["status"]) for one in by_address),
        "inbox": client.get("/v1/inbox/bob/counts").json(),
        "digests": [one["count"] for one in client.get("/v1/digests?subject=bob").json()["items"]],
        "preferences": client.get("/v1/recipients/bob/preferences").json()["items"],
        "hours": client.get("/v1/recipients/bob").json().get("quiet_hours"),
        "signals": len(client.get("/v1/signals").json()["items"]),
    }


def test_what_happens_to_the_one_does_not_touch_the_other(
    both: list[tuple[Journey, APIClient]], smtp_sink: Mailbox
) -> None:
    (ours, our_rest), (theirs, their_rest) = both
    before = seen(their_rest)

    first = ours.start("bob")
    ours.work()
    mail = next(one for one in ours.deliveries(first) if one.channel == "email")
    record_bounce(tenant_id=ours.tenant.pk, delivery=mail.public_id)  # the address is left alone
    ours.start("bob")  # the throttle is used up
    ours.start("bob")
    ours.work()
    our_rest.post("/v1/inbox/bob/read", {"all": True})
    our_rest.put("/v1/recipients/bob/preferences", {"rules": [{"allowed": False}]})
    our_rest.put("/v1/sending-rules", {"quiet_hours": WHOLE_DAY, "caps": [CAP]})
    our_rest.patch("/v1/recipients/bob/preferences", {"rules": [{"channel": "email", "allowed": False}]})
    our_rest.put("/v1/recipients/bob", {"addresses": {"email": ADDRESS}, "quiet_hours": WHOLE_DAY})
    assert seen(their_rest) == before

    run = theirs.start("bob")
    theirs.work()

    now = seen(their_rest)
    assert now["sent"] == [("email", "delivered", ""), ("in_app", "delivered", "")]
    assert now["to the address"] == [("email", "delivered")]
    assert (now["inbox"], now["digests"]) == ({"unread": 1, "unseen": 1}, [1])
    assert (now["preferences"], now["hours"]) == (before["preferences"], before["hours"]) == ([], None)
    assert theirs.run(run).terminal_reason == ""
    mails = [one.get_body(("plain",)).get_content().strip() for one in smtp_sink.to(ADDRESS)]  # type: ignore[union-attr]
    assert mails[-1] == f"Bob of {theirs.tenant.slug}"
    assert seen(our_rest)["digests"] == [2]

    assert our_rest.delete("/v1/subjects/bob").status_code in (200, 202, 204)  # forgotten by one, kept by the other
    assert seen(their_rest) == now
    assert seen(our_rest)["sent"] == []
