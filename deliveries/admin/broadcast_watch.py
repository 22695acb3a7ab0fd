"""Broadcasts on the home page: those that are in trouble, and how far the others are."""

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.html import format_html

from chimeway_py.admin_site import register_concern, register_glance
from deliveries.broadcasts.standing import sentence
from deliveries.models import Broadcast, BroadcastStatus
from deliveries.models.broadcast import AT_WORK
from tenants.admin import words
from tenants.admin.concerns import concern
from tenants.admin.filters import question_filter
from tenants.admin.pages import Section

TOO_LATE = timedelta(minutes=1)  # a turn waits for others; so long, nobody takes it up
FAILED_WITHIN = timedelta(days=1)
HELD = ("broken", "definition_off", "limit")  # notes that somebody should know of; the others end by themselves
MOST_SHOWN = 10


def in_trouble(rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """Held up, late, or failed a short while ago."""
    now = words.now()
    is_held = Q(note__in=HELD) | Q(due_at__lt=now - TOO_LATE)
    has_failed = Q(status=BroadcastStatus.FAILED, finished_at__gt=now - FAILED_WITHIN)
    return rows.filter(Q(is_held, due_at__isnull=False) | has_failed)


def at_work(rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """Those that go on by themselves."""
    return rows.filter(status__in=AT_WORK, due_at__isnull=False)


Attention = question_filter(
    "attention", "attention", [("trouble", "in trouble", in_trouble), ("at_work", "in progress", at_work)]
)

register_concern(
    concern(
        label="Broadcasts in trouble",
        hint="held up, late, or failed within a day",
        url_name="admin:deliveries_broadcast_changelist",
        query="attention=trouble",
        rows=lambda: in_trouble(Broadcast.objects.all()),
        since="updated_at",
    )
)


def progress(row: Broadcast) -> str:
    """A bar and two numbers."""
    most = max(row.total, 1)
    bar = '<progress max="{}" value="{}" aria-label="Targets that were dealt with"></progress> {} of {}'
    return format_html(bar, most, min(row.cursor, most), f"{row.cursor:,}", f"{row.total:,}")


def broadcasts_at_work() -> Section:
    """The newest of those in progress."""
    rows = at_work(Broadcast.objects.select_related("tenant")).order_by("-id")[:MOST_SHOWN]
    found = [
        [words.link(row, str(row)), row.tenant, words.badge(row.status), progress(row), sentence(row)] for row in rows
    ]
    headings = ["Broadcast", "Tenant", "Status", "Targets", "Where it stands"]
    return Section("Broadcasts in progress", headings, found)


register_glance(broadcasts_at_work)
