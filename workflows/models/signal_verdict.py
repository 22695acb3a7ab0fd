"""Verdicts: what a signal meant to each candidate run."""

from django.db import models

from signals_app.models import Signal
from signals_app.verdicts import Verdict
from tenants.models.tenant import TenantPart
from workflows.models.run import Run


class SignalVerdict(TenantPart):
    """One signal and one candidate run. A buffered signal is the run's own until a wait uses it or the run ends."""

    signal = models.ForeignKey(Signal, models.PROTECT, related_name="run_verdicts", db_constraint=False, db_index=False)
    run = models.ForeignKey(Run, models.PROTECT, related_name="signal_verdicts", db_constraint=False, db_index=False)
    wait_step = models.CharField(max_length=64, blank=True, default="")
    name = models.CharField(max_length=100)
    received_at = models.DateTimeField()
    verdict = models.CharField(max_length=16, choices=Verdict)
    reason = models.CharField(max_length=64, blank=True, default="")
    context = models.JSONField(default=dict)
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "signal", "run"], name="signal_verdict_run")]
        indexes = [models.Index(fields=["tenant", "run"], name="signal_verdict_by_run")]

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}"
