"""The history of a run at the admin: exported, rebuilt and compared, and brought in from a file."""

from typing import Any

from django import forms
from django.http import FileResponse, HttpRequest

from chimeway_py.errors import ChimewayError
from chimeway_py.text import LONGEST_REASON
from tenants.admin import words
from tenants.admin.pages import Page, Section
from tenants.admin.writes import WIDE, ServiceForm, ask_tenant
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act, check_reason, record_acts
from workflows.history.check import Selection, check_runs
from workflows.history.exporting import exported_file
from workflows.history.import_file import MOST_BYTES, import_file
from workflows.history.importing import Imported
from workflows.history.rebuild import rebuild_run
from workflows.models import Run
from workflows.verify import verify_run


class ImportForm(ServiceForm):
    """A file of exports."""

    file = forms.FileField(help_text=f"JSON lines, as an export writes them; at most {MOST_BYTES >> 20} MiB.")
    live = forms.BooleanField(
        required=False,
        label="Let them go on here",
        help_text="Runs that have not ended, too: end them at their origin.",
    )
    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE)

    def clean_file(self) -> Any:
        """The file, unless it is too large to be read."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(f"It is larger than {MOST_BYTES >> 20} MiB.")
        return file


def import_form(request: HttpRequest) -> ImportForm:
    """The form, for the tenants in which the operator may bring runs in: an admin, as a version comes along."""
    form = ImportForm(request.POST or None, request.FILES or None)
    ask_tenant(form, request, Role.ADMIN)
    return form


def bring_in(request: HttpRequest, form: ImportForm) -> list[Imported] | None:
    """What was brought in; None when it was refused, which the form then says. Nothing was written then."""
    said = form.cleaned_data
    tenant_id = said["tenant"].pk
    try:
        reason = check_reason(said["reason"])
        imported = import_file(tenant_id=tenant_id, raw=said["file"].read(), live=said["live"])
    except ChimewayError as error:
        form.add_faults(error)
        return None
    acts = [Act("run", str(one.public_id)) for one in imported if one.created]
    record_acts(tenant_id=tenant_id, operator=operator_of(request), action="import", reason=reason, acts=acts)
    return imported


def export_answer(row: Run) -> FileResponse:
    """The run as a file to download; no payload values."""
    file = exported_file(tenant_id=row.tenant_id, public_id=row.public_id)
    name = f"{row.public_id}.jsonl"
    return FileResponse(file, content_type="application/x-ndjson", filename=name, as_attachment=True)


def verify_page(row: Run) -> Page:
    """What `verify_trace` finds in the trace of the run. Nothing is written."""
    found = verify_run(tenant_id=row.tenant_id, public_id=row.public_id)
    return Page(
        title=f"Proof of {words.short(row.public_id)}",
        lead="Intact: every line is there and unchanged, every move was allowed, and they give the stored state."
        if found.is_intact
        else "The trace does not verify.",
        tone="good" if found.is_intact else "bad",
        facts=[("Transitions read", found.lines)],
        sections=[
            Section(
                "Faults", ["Line", "Code", "What is wrong"], [[one.seq, one.code, one.message] for one in found.faults]
            )
        ],
    )


def rebuild_page(row: Run) -> Page:
    """What the trace gives from its first line on, held against what is stored. Nothing is written."""
    rebuilt = rebuild_run(tenant_id=row.tenant_id, public_id=row.public_id, from_start=True)
    wrong = list(check_runs(tenant_id=row.tenant_id, which=Selection(run=row.public_id)))
    snapshots = [[seq] for one in wrong for seq in one.bad_snapshots]
    state = rebuilt.state
    faults = [[one.seq, one.code, one.message] for one in rebuilt.faults]
    return Page(
        title=f"Rebuild of {words.short(row.public_id)}",
        lead="Equal: what is stored is what the trace gives."
        if not wrong
        else "What is stored is not what the trace gives.",
        tone="bad" if wrong else "good",
        facts=[
            ("State", words.badge(state.state)),
            ("Step", state.step or "–"),
            ("Reason", state.status_reason.replace("_", " ")),
            ("Visits", words.pairs(state.visits)),
            ("Early signals kept", state.pending_signals),
            ("Last line", state.seq),
            ("Lines read", rebuilt.lines),
        ],
        sections=[
            Section("Differences", ["Line", "Code", "What differs"], faults),
            *([Section("Snapshots that differ from the trace", ["Line"], snapshots)] if snapshots else []),
        ],
    )
