"""Signals: something happened upstream, and it may start or resume runs."""

from django.db import models
from django.utils import timezone

from signals_app.verdicts import Verdict
from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow


class Signal(TenantRow):
    """One thing that happened, accepted once per (source, external id) for ever. Its values live in `Payload`."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    source = models.CharField(max_length=50, help_text="api, inbox, or the key of the webhook source.")
    external_id = models.CharField(
        max_length=200, help_text="The sender's own id; a second signal with it is a duplicate."
    )
    name = models.CharField(max_length=100)
    subject = models.CharField(max_length=200, blank=True, default="")
    correlation = models.JSONField(default=dict, blank=True)
    payload_sha = models.BinaryField(max_length=32, null=True)
    body_digest = models.BinaryField(max_length=32)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    routed_at = models.DateTimeField(null=True, blank=True)
    route_after = models.DateTimeField(null=True, blank=True)
    route_failures = models.PositiveIntegerField(default=0)
    route_cursor = models.BigIntegerField(
        default=0
    )  # a signal for very many runs is routed in parts, up to this run id
    # Null until it is routed: not yet judged is not one more verdict.
    verdict = models.CharField(max_length=16, choices=Verdict, null=True, blank=True)  # noqa: DJ001
    verdict_reason = models.CharField(max_length=200, blank=True, default="")
    verdict_context = models.JSONField(
        default=dict, blank=True
    )  # the condition that refused it, and its inputs as digests
    pruned_at = models.DateTimeField(null=True, blank=True)  # only what tells a duplicate is left
    duplicate_count = models.PositiveIntegerField(default=0)
    last_duplicate_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "source", "external_id"], name="signal_external_id"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="signal_public_id"),
        ]
        indexes = [
            # What routing takes next. It stays as small as the backlog, whatever the table holds.
            models.Index(fields=["tenant", "id"], name="signal_unrouted", condition=models.Q(routed_at__isnull=True)),
            models.Index(  # what may still expire
                fields=["tenant", "received_at"],
                name="signal_unused",
                condition=models.Q(verdict__in=["buffered", "unmatched"]),
            ),
            models.Index(fields=["tenant", "name", "id"], name="signal_by_name"),
            models.Index(fields=["tenant", "subject", "id"], name="signal_by_subject"),
            models.Index(  # whether anything names a payload: asked before it is collected
                fields=["tenant", "payload_sha"],
                name="signal_payload",
                condition=models.Q(payload_sha__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.public_id}"
