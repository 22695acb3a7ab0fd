"""The numbers of the service, for Prometheus, without a name in them."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from chimeway_py import metrics
from deliveries.models import Broadcast
from signals_app.models import Signal
from tenants.scope import tenant_scope
from tests.admin.conftest import furnish


def scrape(**headers: str) -> dict[tuple[str, str], float]:
    """(name, label) -> value."""
    response = Client().get("/metrics", headers=headers)
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    return {(s.name, "".join(s.labels.values())): s.value for family in families for s in family.samples}


def test_numbers_count_across_tenants():
    before = scrape()
    one, other = furnish("one"), furnish("other")

    after = scrape()

    def grew(name: str, label: str = "") -> float:
        return after[name, label] - before.get((name, label), 0)

    assert grew("chimeway_runs", "waiting") == 2
    assert after["chimeway_recent_signals", "unmatched"] >= 2  # those of tests before may have grown old meanwhile
    assert after["chimeway_database_up", ""] == 1
    text = Client().get("/metrics").content.decode()
    for furnished in (one, other):
        assert furnished.tenant.slug not in text
        assert furnished.mark + "_" not in text


def test_the_oldest_unrouted_signal_has_an_age():
    furnished = furnish("late")
    with tenant_scope(furnished.tenant.pk):
        Signal.objects.update(routed_at=None, received_at="2026-01-01T00:00:00Z")

    found = scrape()

    assert found["chimeway_unrouted_signals", ""] >= 1
    assert found["chimeway_oldest_unrouted_signal_seconds", ""] > 3600
    with tenant_scope(furnished.tenant.pk):
        Signal.objects.update(routed_at="2026-01-01T00:00:00Z")


def test_broadcasts_are_counted_while_they_are_at_work():
    furnished, before = furnish("casts"), scrape()
    with tenant_scope(furnished.tenant.pk):
        Broadcast.objects.update(status="running", due_at="2026-01-01T00:00:00Z", total=40, cursor=10)
    running = scrape()
    with tenant_scope(furnished.tenant.pk):
        Broadcast.objects.update(status="failed", due_at=None, finished_at=timezone.now())
    failed = scrape()

    def grew(after: dict[tuple[str, str], float], name: str, label: str = "") -> float:
        return after[f"chimeway_{name}", label] - before.get((f"chimeway_{name}", label), 0)

    assert grew(running, "broadcasts", "running") == grew(running, "broadcasts_overdue") == 1
    assert grew(running, "broadcast_targets_left") == 30
    assert grew(failed, "broadcasts_failed") == 1
    assert grew(failed, "broadcasts_overdue") == grew(failed, "broadcast_targets_left") == 0


def test_every_number_is_there_when_nothing_happens():
    names = {name for name, _ in scrape()}

    assert {name for name, _, label in metrics.GAUGES.values() if not label} <= names


def test_a_token_is_asked_for_when_one_is_set(settings: Any):
    settings.METRICS_TOKEN = "s3cret"

    assert Client().get("/metrics").status_code == 403
    assert Client().get("/metrics", headers={"Authorization": "Bearer other"}).status_code == 403
    assert scrape(Authorization="Bearer s3cret")


@pytest.mark.parametrize(
    "sent",
    [{"REMOTE_ADDR": "10.0.0.7"}, {"HTTP_X_FORWARDED_FOR": "10.0.0.7"}, {"HTTP_FORWARDED": "for=10.0.0.7"}],
)
def test_without_a_token_only_this_machine_reads(sent: dict[str, str]):
    assert Client().get("/metrics", **sent).status_code == 403  # type: ignore[arg-type]
    assert Client().get("/metrics", REMOTE_ADDR="::1").status_code == 200


def test_a_database_that_is_away_is_a_number(monkeypatch: pytest.MonkeyPatch):
    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(metrics, "_numbers", away)

    assert scrape() == {("chimeway_database_up", ""): 0}
