"""Prometheus metrics, read from the database when they are scraped: no process keeps a number of its own.

The numbers are of all tenants together and name none. Most of them should be zero.
"""

import hmac
import ipaddress
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from workflows.heads.lateness import LATE, heads_are_expected

#: number of the database function -> (name, help, label or none)
GAUGES = {
    "runs": ("chimeway_runs", "Runs that have not ended, by state.", "state"),
    "overdue_timers": ("chimeway_overdue_timers", "Waits whose time came over 5 s ago. Should be 0.", ""),
    "overdue_runs": ("chimeway_overdue_runs", "Other runs whose clock passed over 5 s ago. Should be 0.", ""),
    "engine_failures": ("chimeway_engine_failures", "Runs that the engine fails to advance. Should be 0.", ""),
    "unrouted_signals": ("chimeway_unrouted_signals", "Signals accepted and not routed yet.", ""),
    "oldest_unrouted_signal": (
        "chimeway_oldest_unrouted_signal_seconds",
        "Age of the oldest signal that is not routed; 0 when there is none.",
        "",
    ),
    "owed_deliveries": ("chimeway_owed_deliveries", "Deliveries planned and not settled.", ""),
    "oldest_owed_delivery": (
        "chimeway_oldest_owed_delivery_seconds",
        "Age of the oldest delivery that is not settled; 0 when there is none.",
        "",
    ),
    "expired_leases": ("chimeway_expired_leases", "Work whose worker fell silent. Should be 0.", ""),
    "definitions_off": (
        "chimeway_definitions_switched_off",
        "Definitions that are switched off, by level. Should be 0.",
        "level",
    ),
    "recent_signals": (
        "chimeway_recent_signals",
        "Signals of the last five minutes, by verdict.",
        "verdict",
    ),
    "recent_attempts": (
        "chimeway_recent_attempts",
        "Attempts begun in the last five minutes, by outcome; `lost` ones let their lease expire.",
        "outcome",
    ),
    "digests_due": ("chimeway_digests_due", "Digests whose time came over 5 s ago. Should be 0.", ""),
    "broadcasts": ("chimeway_broadcasts", "Broadcasts in progress, by status.", "status"),
    "broadcast_targets_left": ("chimeway_broadcast_targets_left", "Targets of them that have no run yet.", ""),
    "broadcasts_overdue": (
        "chimeway_broadcasts_overdue",
        "Broadcasts whose turn came over 60 s ago. Should be 0.",
        "",
    ),
    "broadcasts_failed": ("chimeway_broadcasts_failed", "Broadcasts that failed within a day. Should be 0.", ""),
    "events_due": ("chimeway_events_due", "Events due to subscribers for over 5 s.", ""),
    "event_subscriptions": (
        "chimeway_event_subscriptions",
        "Event subscriptions, by state; `failing` ones have not taken anything since their last failure.",
        "state",
    ),
    "heads_late": (
        "chimeway_heads_late",
        "Tenants whose traces have grown for two hours without a signed head. Should be 0.",
        "",
    ),
    "endpoints": (
        "chimeway_endpoints",
        "Endpoints of webhooks, by state; `failing` ones have not taken anything since their last failure.",
        "state",
    ),
}

_NUMBERS = """
SELECT number, word, value FROM service_numbers()
UNION ALL SELECT 'definitions_off', level, definitions FROM switched_definitions()
UNION ALL SELECT number, word, value FROM event_numbers()
UNION ALL SELECT 'endpoints', state, endpoints FROM endpoint_numbers()
UNION ALL SELECT 'heads_late', '', tenants FROM heads_late(%s, %s)
UNION ALL SELECT 'digests_due', '', digests FROM digests_overdue()
UNION ALL SELECT number, word, value FROM broadcast_numbers()
"""


class DatabaseNumbers(Collector):
    """Asks the one function that may count across tenants."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every gauge, or only `chimeway_database_up` at 0 when the database does not answer."""
        try:
            rows = _numbers()
        except DatabaseError:
            rows = None
        up = GaugeMetricFamily("chimeway_database_up", "Whether the database gave the numbers.")
        up.add_metric([], float(rows is not None))
        yield up
        for number, (name, text, label) in GAUGES.items() if rows is not None else ():
            family = GaugeMetricFamily(name, text, labels=[label] if label else [])
            for word, value in (rows or {}).get(number, {} if label else {"": 0.0}).items():
                family.add_metric([word] if label else [], value)
            yield family


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics, for whoever knows `METRICS_TOKEN`; without one set, for this machine only."""
    if not _may_read(request):
        return HttpResponse("Send Authorization: Bearer <METRICS_TOKEN>.\n", status=403, content_type="text/plain")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DatabaseNumbers())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        sent = request.headers.get("Authorization", "")
        return hmac.compare_digest(sent.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    passed_on = {"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP"} & request.META.keys()
    return not passed_on and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return not address  # a Unix socket: only this machine can open it


def _numbers() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10s'")
        cursor.execute(_NUMBERS, [heads_are_expected(), LATE])  # type: ignore[list-item]  # psycopg knows intervals
        for number, word, value in cursor.fetchall():
            found.setdefault(number, {})[word] = value
    return found
