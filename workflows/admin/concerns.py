"""What the home page watches in workflows. Every number should be zero."""

from datetime import timedelta

from chimeway_py.admin_site import register_concern
from tenants.admin import words
from tenants.admin.concerns import GRACE, concern
from workflows.models import Run, StepRun

RUNS = "admin:workflows_run_changelist"


register_concern(
    concern(
        label="Overdue timers",
        hint="waits whose time has come",
        url_name=RUNS,
        query="attention=timers",
        rows=lambda: Run.objects.overdue_timers(words.now() - GRACE),
        since="due_at",
    )
)
register_concern(
    concern(
        label="Overdue runs",
        hint="due to begin or to expire",
        url_name=RUNS,
        query="attention=overdue",
        rows=lambda: Run.objects.overdue(words.now() - GRACE).exclude(state="waiting"),
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
        label="Unknown outcomes",
        hint="runs that wait until somebody settles a step",
        url_name=RUNS,
        query="attention=unknown",
        rows=Run.objects.with_unknown_outcome,
        since="step_entered_at",
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
