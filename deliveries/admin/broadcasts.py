"""Broadcasts and segments: made, looked at, started, watched and cancelled."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from chimeway_py.errors import ChimewayError, Invalid, fault
from chimeway_py.text import LONGEST_REASON
from deliveries.admin.broadcast_watch import Attention, progress
from deliveries.broadcasts.making import NewBroadcast, make_broadcast, put_targets
from deliveries.broadcasts.ordering import cancel_broadcast, start_broadcast
from deliveries.broadcasts.outcomes import outcomes_of
from deliveries.broadcasts.preview import Preview, preview
from deliveries.broadcasts.segments import count_matches, put_segment
from deliveries.broadcasts.standing import sentence, target_states
from deliveries.broadcasts.uploading import targets_in
from deliveries.models import Broadcast, BroadcastStatus, Recipient, Segment
from tenants.admin import words
from tenants.admin.filters import TenantFilter
from tenants.admin.json_field import JSONText
from tenants.admin.pages import Button, Page, Section
from tenants.admin.paging import page_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.audit.facts import facts_of
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.scope import tenant_scope

MOST_SHOWN = 50
TONES = {BroadcastStatus.FAILED: "bad", BroadcastStatus.RUNNING: "busy", BroadcastStatus.GATHERING: "busy"}


class BroadcastForm(ServiceForm):
    """A new draft, and whom it is for: subjects, a file, or a segment."""

    workflow = forms.CharField(max_length=64, help_text="The key of a published definition.")
    name = forms.CharField(max_length=200, required=False, widget=WIDE, help_text="For people.")
    subjects = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 80, "spellcheck": "false"}),
        help_text="One in a line.",
    )
    file = forms.FileField(required=False, help_text="Or a CSV, or JSON lines.")
    columns = JSONText(initial=dict, required=False, help_text='What headings hold: {"Customer": "subject"}.')
    segment = forms.CharField(max_length=64, required=False, help_text="Or the key of a segment.")
    data = JSONText(initial=dict, required=False, help_text="What each run starts with.")  # type: ignore[assignment]
    correlation = JSONText(initial=dict, required=False)
    rate = forms.IntegerField(min_value=1, max_value=2**31 - 1, required=False, help_text="Starts per minute.")


class StartForm(ServiceForm):
    """The word to begin, for what was looked at."""

    token = forms.CharField(max_length=100, widget=forms.HiddenInput)


class CancelForm(ServiceForm):
    """The word to end."""

    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE)
    runs = forms.BooleanField(required=False, label="Cancel the runs that it started, too")


@admin.register(Broadcast)
class BroadcastAdmin(WritingAdmin):
    """Broadcasts; written through services."""

    form_class = BroadcastForm
    write_role = Role.OPERATOR
    may_change = False
    list_display = ["shown", "tenant", "workflow", "state", "progress", "made_by", "made"]
    list_filter = [Attention, TenantFilter, "status", "source"]
    search_fields = ["=definition_key", "=name", "=public_id"]

    @admin.display(description="Broadcast")
    def shown(self, row: Broadcast) -> str:
        return row.name or words.short(row.public_id)

    @admin.display(description="Workflow", ordering="definition_key")
    def workflow(self, row: Broadcast) -> str:
        return f"{row.definition_key} v{row.version}"

    @admin.display(description="Made", ordering="created_at")
    def made(self, row: Broadcast) -> str:
        return words.ago(row.created_at)

    @admin.display(description="Status", ordering="status")
    def state(self, row: Broadcast) -> str:
        return words.badge(row.status)

    @admin.display(description="Progress")
    def progress(self, row: Broadcast) -> str:
        return progress(row)

    def get_urls(self) -> list[URLPattern]:
        """Pages to look, and to end."""
        view = self.admin_site.admin_view
        ours = [
            path("<str:object_id>/look/", view(self.look_view), name="deliveries_broadcast_look"),
            path("<str:object_id>/cancel/", view(self.cancel_view), name="deliveries_broadcast_cancel"),
        ]
        return [*ours, *super().get_urls()]

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Broadcast, str]:
        file, subjects = said["file"], [one.strip() for one in said["subjects"].split("\n") if one.strip()]
        if bool(file) + bool(subjects) + bool(said["segment"]) != 1:
            raise Invalid("Say whom it is for.", [fault("/subjects", "targets", "Subjects, a file or a segment.")])
        new = NewBroadcast(
            workflow=said["workflow"],
            name=said["name"],
            subjects=subjects or None,
            segment=said["segment"],
            data=said["data"] or {},
            correlation=said["correlation"] or {},
            columns=said["columns"] or {},
            rate=said["rate"],
        )
        with tenant_scope(tenant_id):  # no draft stays when its file is refused
            made = make_broadcast(tenant_id=tenant_id, new=new, made_by=operator_of(request).username)
            return (_filled(made, file) if file else made), ""

    def look_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What starting it would do, and the button that does it."""
        row = self.found_or_404(request, object_id)
        if not self.has_change_permission(request, row):
            return self._refused(request)
        try:
            if request.method == "POST":
                return self._started(request, row)
            seen = preview(tenant_id=row.tenant_id, public_id=row.public_id)
        except ChimewayError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(page_of(row))
        more = {
            "row": row,
            "row_url": page_of(row),
            "lead": _foreseen(seen),
            "form": StartForm(initial={"token": seen.token}),
        }
        return self._answer(request, "admin/broadcast_look.html", f"Start {row}", more)

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks why, and whether its runs are to be cancelled, too."""
        row = self.found_or_404(request, object_id)
        if not self.has_change_permission(request, row):
            return self._refused(request)
        form = CancelForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            asked = {
                "tenant_id": row.tenant_id,
                "public_id": row.public_id,
                "cancelled_by": operator_of(request).username,
            }
            try:
                cancel_broadcast(reason=said["reason"], runs=said["runs"], **asked)
            except ChimewayError as error:
                form.add_faults(error)
            else:
                self._record(request, row, "cancel", before=facts_of(row), reason=said["reason"])
                return HttpResponseRedirect(page_of(row))
        return self._ask(request, form, f"Cancel {row}", row, verb="Cancel the broadcast")

    def page(self, request: HttpRequest, row: Broadcast) -> Page:
        return Page(
            title=str(row),
            lead=sentence(row),
            tone=TONES.get(BroadcastStatus(row.status), "calm"),
            facts=_facts(row),
            buttons=self._buttons(request, row),
            sections=[_outcomes(row), _skipped(row)],
        )

    def _started(self, request: HttpRequest, row: Broadcast) -> HttpResponse:
        who = operator_of(request).username
        token = request.POST.get("token", "")
        start_broadcast(tenant_id=row.tenant_id, public_id=row.public_id, token=token, ordered_by=who)
        self._record(request, row, "start", before=facts_of(row))
        return HttpResponseRedirect(page_of(row))

    def _buttons(self, request: HttpRequest, row: Broadcast) -> list[Button]:
        if not self.has_change_permission(request, row):
            return []
        here = page_of(row).removesuffix("change/")
        look = [Button("Look, and start", url=f"{here}look/")] if row.status == BroadcastStatus.DRAFT else []
        runs_left = row.started and not row.cancels_runs
        may_end = (not row.has_ended or runs_left) and row.status != BroadcastStatus.CANCELLING
        name = "Cancel its runs" if row.has_ended else "Cancel"
        return [*look, *([Button(name, url=f"{here}cancel/")] if may_end else [])]


def _filled(made: Broadcast, file: "UploadedFile[Any]") -> Broadcast:
    """The draft with the targets in a file. Raises `Invalid`."""
    if file.size is None or file.size > settings.BROADCAST_MAX_BYTES:
        raise Invalid(
            "The file is too large.", [fault("/file", "too_large", f"At most {settings.BROADCAST_MAX_BYTES} bytes.")]
        )
    media_type = "text/csv" if str(file.name).lower().endswith(".csv") else "application/x-ndjson"
    assert file.file is not None
    targets = targets_in(made, file.file, media_type)
    return put_targets(tenant_id=made.tenant_id, public_id=made.public_id, targets=targets or ())[0]


def _foreseen(seen: Preview) -> str:
    """What starting would do, in sentences."""
    skipped = sum(seen.skipped.values())
    said = f"{seen.total - skipped} runs of {seen.broadcast.definition_key} v{seen.broadcast.version} would start"
    said += f", {skipped} targets would be skipped." if skipped else "."
    said += "" if seen.is_whole else " There are more recipients than were counted."
    for step, count in seen.held_back.items():
        said += f" {count} of the first {seen.looked_at} do not want “{step}”."
    for step, count in seen.without_address.items():
        said += f" {count} of the first {seen.looked_at} have no address for “{step}”."
    if seen.latest_version != seen.broadcast.version:
        said += f" The definition has a version {seen.latest_version} by now."
    return said + (f" First: {', '.join(seen.first)}." if seen.first else "")


def _facts(row: Broadcast) -> list[tuple[str, Any]]:
    whom = {"list": "a list", "file": "a file"}.get(row.source, f"the segment {row.segment_key}")
    return [
        ("Id", str(row.public_id)),
        ("Workflow", f"{row.definition_key} v{row.version}"),
        ("For", whom),
        ("Dealt with", progress(row)),
        ("Started", row.started),
        ("Runs", _runs_link(row)),
        ("Skipped", words.pairs(row.skipped_by_reason)),
        ("Rate", f"{row.rate} per minute" if row.rate else "–"),
        ("Correlation", words.pairs(row.correlation)),
        ("Made", words.moment(row.created_at)),
        ("Made by", row.made_by),
        ("Started at", words.moment(row.ordered_at)),
        ("Started by", row.ordered_by or "–"),
        ("Next turn", words.moment(row.due_at)),
        ("Cancelled by", f"{row.cancelled_by} ({row.reason})" if row.cancelled_by else "–"),
        ("Ended", words.moment(row.finished_at)),
    ]


def _runs_link(row: Broadcast) -> Any:
    url = reverse("admin:workflows_run_changelist", query={"broadcast": str(row.public_id)})
    return format_html('<a href="{}">those that it started</a>', url) if row.started else "–"


def _outcomes(row: Broadcast) -> Section:
    """What became of its messages, step by step."""
    found = [
        [one.step, one.channel, words.badge(one.status), one.count, one.opened, one.clicked]
        for one in outcomes_of(row).deliveries
    ]
    headings = ["Step", "Channel", "Status", "Messages", "Opened", "Clicked"]
    return Section("What became of its messages", headings, found, "No run of it has come to a message yet.")


def _skipped(row: Broadcast) -> Section:
    found = []
    for state in target_states(row, skipped_only=True):
        found.append([state.position, state.subject, state.sentence])
        if len(found) == MOST_SHOWN:
            break
    return Section("The first that were skipped", ["Position", "Subject", "Why"], found, "Nobody was skipped.")


class SegmentText(ServiceForm):
    """What a segment is."""

    name = forms.CharField(max_length=200, required=False, widget=WIDE, help_text="For people.")
    condition = JSONText(help_text='{"path": "recipient.attributes.plan", "eq": "pro"}')


class SegmentForm(SegmentText):
    """A new segment."""

    key = forms.CharField(max_length=64, help_text="1 to 64 of a-z, 0-9 and _.")
    field_order = ["key", "name", "condition"]


@admin.register(Segment)
class SegmentAdmin(WritingAdmin):
    """Segments."""

    form_class = SegmentForm
    change_class = SegmentText
    list_display = ["key", "tenant", "name", "updated_at"]
    list_filter = [TenantFilter]
    search_fields = ["=key"]

    def initial(self, row: Segment) -> dict[str, Any]:
        return {"name": row.name, "condition": row.condition}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Segment, str]:
        key = row.key if row is not None else said["key"]
        return put_segment(tenant_id=tenant_id, key=key, condition=said["condition"], name=said["name"])[0], ""

    def page(self, request: HttpRequest, row: Segment) -> Page:
        count = count_matches(tenant_id=row.tenant_id, condition=row.condition, most=10_000)
        said = f"{count.matches} of {count.looked_at} recipients" + ("" if count.is_whole else ", and there are more")
        facts = [("Name", row.name or "–"), ("Has now", said), ("Changed", words.moment(row.updated_at))]
        shown = [("Condition", str(JSONText().prepare_value(row.condition)))]
        sections = [_members(row, count.sample)]
        return Page(row.key, facts=facts, buttons=self.write_buttons(request, row), texts=shown, sections=sections)


def _members(row: Segment, sample: Sequence[str]) -> Section:
    """Some of those who meet it now."""
    known = Recipient.objects.filter(tenant_id=row.tenant_id, external_id__in=sample).defer("sealed")
    rows = [[words.link(one), one.zone or "–", one.locale or "–"] for one in known.order_by("id")]
    return Section("Some who are in it now", ["Recipient", "Zone", "Locale"], rows, "Nobody.")
