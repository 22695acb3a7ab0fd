"""Digests in the admin: what collects, until when, and who goes on with it. Operators flush, and take items out."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from chimeway_py.admin_site import register_concern
from chimeway_py.errors import ChimewayError
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.base import TenantAdmin
from tenants.admin.concerns import GRACE, concern
from tenants.admin.filters import TenantFilter, question_filter
from tenants.admin.pages import Button, Page, PageAdmin, Section
from tenants.admin.paging import ref_of
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.digests.closing import Asked
from workflows.digests.control import flush_digest, remove_item
from workflows.models import Digest, DigestItem, DigestStatus
from workflows.states import Cause

MOST_ITEMS = 100


class Flush(ReasonedAction):
    """Closes a digest before its time."""

    name, verb = "flush", "Flush"

    def forecast(self, row: Digest) -> str:
        if row.status == DigestStatus.CLOSED:
            return "It is closed already."
        return f"It closes now: one run goes on with {row.count} items, the others end."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Digest], reason: str) -> Iterable[Act]:
        asked = Asked(Cause.OPERATOR, operator_of(request).username, reason)
        for row in rows:
            try:
                flush_digest(tenant_id=tenant_id, public_id=row.public_id, asked=asked)
            except ChimewayError as error:
                yield Act("digest", ref_of(row), error.message)
            else:
                yield Act("digest", ref_of(row), "")


class Remove(ReasonedAction):
    """Takes items out of digests that collect."""

    name, verb = "remove", "Take out"

    def forecast(self, row: DigestItem) -> str:
        if row.left_at is not None or row.digest.status == DigestStatus.CLOSED:
            return "It is in no digest that collects."
        return f"Item {row.position} leaves the digest, and its run goes on as the step says of removed items."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[DigestItem], reason: str) -> Iterable[Act]:
        asked = Asked(Cause.OPERATOR, operator_of(request).username, reason)
        for row in rows:
            digest = row.digest.public_id
            try:
                remove_item(tenant_id=tenant_id, public_id=digest, position=row.position, asked=asked)
            except ChimewayError as error:
                yield Act("digestitem", ref_of(row), error.message)
            else:
                yield Act("digestitem", ref_of(row), "")


Attention = question_filter(
    "attention",
    "attention",
    [
        ("collecting", "collecting", lambda rows: rows.filter(status=DigestStatus.OPEN)),
        ("overdue", "overdue", lambda rows: rows.filter(due_at__lt=words.now() - GRACE)),
    ],
)


@admin.register(Digest)
class DigestAdmin(PageAdmin):
    """Digests, the newest first."""

    list_display = ["shown_id", "tenant", "definition_key", "step", "subject", "shown_status", "count", "closes"]
    list_filter = [Attention, TenantFilter, "status"]
    list_select_related = ("tenant",)
    search_fields = ["=subject", "=definition_key"]
    search_help_text = "A subject, or the key of a workflow"
    actions = [Flush()]

    @admin.display(description="Digest")
    def shown_id(self, row: Digest) -> str:
        return words.short(row.public_id)

    @admin.display(description="Status", ordering="status")
    def shown_status(self, row: Digest) -> SafeString:
        return words.badge(row.status)

    @admin.display(description="Closes", ordering="closes_at")
    def closes(self, row: Digest) -> str:
        return words.ago(row.closed_at or row.closes_at) or "–"

    def page(self, request: HttpRequest, row: Digest) -> Page:
        flush = Button("Flush", action="flush", why_not="It is closed." if row.status == DigestStatus.CLOSED else "")
        return Page(
            title=f"{row.definition_key}/{row.step} for {row.subject or 'everybody'}",
            facts=_facts(row),
            buttons=[flush],
            sections=[_items(row)],
        )


@admin.register(DigestItem)
class DigestItemAdmin(TenantAdmin):
    """What runs have brought; taken out from here."""

    list_display = ["shown_run", "tenant", "shown_digest", "position", "subject", "joined", "left_why"]
    list_display_links = None
    list_filter = [TenantFilter, "left_why"]
    list_select_related = ("tenant", "run", "digest")
    search_fields = ["=subject"]
    search_help_text = "A subject"
    actions = [Remove()]

    @admin.display(description="Run")
    def shown_run(self, row: DigestItem) -> str | SafeString:
        return words.link(row.run, words.short(row.run.public_id))

    @admin.display(description="Digest")
    def shown_digest(self, row: DigestItem) -> str | SafeString:
        return words.link(row.digest, words.short(row.digest.public_id))

    @admin.display(description="Joined")
    def joined(self, row: DigestItem) -> str:
        return words.ago(row.joined_at)


def _facts(row: Digest) -> list[tuple[str, Any]]:
    led = words.link(row.leader_run, words.short(row.leader_run.public_id)) if row.leader_run is not None else "–"
    return [
        ("Status", words.badge(row.status)),
        ("Items", row.count),
        ("Opened", words.moment(row.created_at)),
        ("Closes", words.moment(row.closes_at)),
        ("Closed", words.moment(row.closed_at)),
        ("Closed by", row.closed_by or "–"),
        ("Who went on with it", led),
        ("Public id", row.public_id),
    ]


def _items(row: Digest) -> Section:
    found = DigestItem.objects.filter(tenant_id=row.tenant_id, digest_id=row.pk).select_related("run")
    rows = [
        [
            item.position,
            words.link(item.run, words.short(item.run.public_id)),
            item.subject,
            words.moment(item.joined_at),
            item.left_why.replace("_", " ") or "in it",
        ]
        for item in found.order_by("position")[:MOST_ITEMS]
    ]
    return Section("Items", ["Position", "Run", "Subject", "Joined", "Left"], rows, "Nobody has brought anything.")


register_concern(
    concern(
        label="Overdue digests",
        hint="collected, and not closed in time",
        url_name="admin:workflows_digest_changelist",
        query="attention=overdue",
        rows=lambda: Digest.objects.filter(due_at__lt=words.now() - GRACE),
        since="due_at",
    )
)
