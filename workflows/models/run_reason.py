"""Why somebody asked for something: the words are a payload of their own, and the trace keeps their address."""

from django.db import models

from tenants.models.tenant import TenantRow
from workflows.models.run import Run


class RunReason(TenantRow):
    """Names the payload with the words behind an address in the trace of a run, so that they stay until erased."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    told = models.BinaryField(max_length=32)  # the address as the trace has it, also in a run that was imported
    payload_sha = models.BinaryField(max_length=32, null=True)  # where the words are here; None: erased, or not brought

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "run", "told"], name="run_reason_told")]
        indexes = [models.Index(fields=["tenant", "payload_sha"], name="run_reason_payload")]  # is one still named?

    def __str__(self) -> str:
        return bytes(self.told).hex()[:12]
