"""What the home page watches in workflows. Every number should be zero."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet

from chimeway_py.admin_site import register_concern
from tenants.admin import words
from tenants.admin.concerns import GRACE, concern
from workflows.models import Run, StepRun, Wait

RUNS = "admin:workflows_run_changelist"


def _late(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(due_at__lt=words.now() - GRACE)


register_concern(
    concern(
        label="Overdue timers",
        hint="waits whose time has come and whose run still waits",
        url_name="admin:workflows_wait_changelist",
        query="when=overdue",
        rows=lambda: _late(Wait.objects.filter(closed_at__isnull=True, run__state="waiting")),
        since="due_at",
    )
)
register_concern(
    concern(
        label="Overdue runs",
        hint="runs whose clock has passed",
        url_name=RUNS,
        query="attention=overdue",
        rows=lambda: _late(Run.objects.all()),
        since="due_at",
    )
)
register_concern(
    concern(
        label="Expired leases",
        hint="work whose worker fell silent",
        url_name="admin:workflows_steprun_changelist",
        query="attention=expired",
        rows=lambda: StepRun.objects.in_flight().filter(due_at__lt=words.now()),
        since="due_at",
    )
)
register_concern(
    concern(
        label="Quarantined",
        hint="in the last 24 hours",
        url_name=RUNS,
        query="attention=quarantined",
        rows=lambda: Run.objects.quarantined_since(words.now() - timedelta(days=1)),
    )
)
register_concern(
    concern(
        label="Engine failures",
        hint="runs that the engine cannot advance",
        url_name=RUNS,
        query="attention=engine",
        rows=Run.objects.engine_fails,
    )
)
