"""What became of a signal, added to its page: the sentence, and a verdict for each run that it might have concerned."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from signals_app.models import Signal
from tenants.admin import words
from tenants.admin.pages import Page, Section, extend_page
from workflows.explain import explain_signal
from workflows.explain.signal_sentences import clause

TONES = {"matched": "good", "started": "good", "buffered": "calm", "rejected": "bad"}


def _explain(request: HttpRequest, row: Signal, page: Page) -> None:
    said = explain_signal(tenant_id=row.tenant_id, public_id=row.public_id)
    page.lead, page.tone = said.sentence, TONES.get(said.verdict, "plain")
    rows: list[list[Any]] = [
        [
            format_html(
                '<a href="{}">{} {}</a>',
                reverse("admin:workflows_run_change", args=[one.run]),
                one.definition,
                words.short(one.run),
            ),
            one.step or "–",
            words.badge(one.verdict),
            one.sentence,
            clause(one.condition) if one.condition else "–",
            words.moment(one.decided_at),
        ]
        for one in said.runs
    ]
    headings = ["Run", "Step", "Verdict", "What it came to", "Condition that decided", "Judged"]
    page.sections.insert(0, Section("Verdicts", headings, rows, "No run was a candidate."))
    if said.condition:
        page.facts = [*page.facts, ("Condition that decided", clause(said.condition))]


extend_page("signals_app.Signal", _explain)
