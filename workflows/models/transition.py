"""Transitions: the trace of a run."""

import pgtrigger
from django.db import models

from tenants.models.tenant import TenantPart
from workflows.models.run import Run
from workflows.querysets import TransitionQuerySet
from workflows.states import Cause, RunState, reasons

# Nobody changes a line, and one way alone leads to deleting any: inside the function that buries ended runs, in the
# transaction in which it wrote the runs' tombstones. Being the owner or a superuser is not enough.
_NEVER = "RAISE EXCEPTION 'Cannot % rows of %: a trace is only added to', lower(TG_OP), TG_TABLE_NAME;"
_ONLY_BURIED = f"""
GET DIAGNOSTICS stack = PG_CONTEXT;
IF EXISTS (SELECT 1 FROM gone) AND stack NOT LIKE '% bury_runs(bigint,bigint[],text,text,text) %' OR EXISTS (
    SELECT 1 FROM (SELECT DISTINCT tenant_id, run_id FROM gone) g WHERE NOT EXISTS (
        SELECT 1 FROM workflows_tombstone t
         WHERE t.tenant_id = g.tenant_id AND t.run_id = g.run_id
           AND t.transaction_id = pg_current_xact_id()::text::bigint)) THEN
    {_NEVER}
END IF;
RETURN NULL;
"""  # noqa: S608  this file's own words


class Transition(TenantPart):
    """One line of a run's trace. Written once; the database refuses changes, also under `session_replication_role`."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="transitions", db_constraint=False, db_index=False)
    seq = models.PositiveIntegerField()
    step = models.CharField(max_length=64, blank=True, default="")
    visit = models.PositiveIntegerField(default=0)
    delivery = models.UUIDField(null=True)
    cause = models.CharField(max_length=16, choices=Cause)
    cause_ref = models.CharField(max_length=200, blank=True, default="")
    from_state = models.CharField(max_length=16, choices=RunState, blank=True, default="")
    to_state = models.CharField(max_length=16, choices=RunState)
    reason = models.CharField(max_length=32, choices=reasons)
    context = models.JSONField(default=dict)
    prev_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    occurred_at = models.DateTimeField()

    objects = TransitionQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "run", "seq"], name="transition_run_seq")]
        triggers = [
            pgtrigger.Trigger(name="append_only", when=pgtrigger.Before, operation=pgtrigger.Update, func=_NEVER),
            pgtrigger.Trigger(  # once for all the lines that a statement deletes: a prune deletes thousands at a time
                name="only_buried",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Delete,
                referencing=pgtrigger.Referencing(old="gone"),  # type: ignore[no-untyped-call]
                declare=[("stack", "text")],
                func=_ONLY_BURIED,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq}. {self.from_state or 'new'} → {self.to_state}"
