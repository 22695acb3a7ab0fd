"""Retention: how long a tenant keeps what has ended, what must not be pruned, and prunes under way."""

from django.db import models
from django.db.models import Q

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow

LONGEST_WHY = 200  # characters of why something is held or pruned


class Kept(models.TextChoices):
    """What a policy can be about: runs by the state that they ended in, and what accumulates beside them."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    FAILED = "failed"
    EXPIRED = "expired"
    SIGNALS = "signals"  # names and values; the dedupe key and the digest of the body stay for ever
    INBOX = "inbox"
    ANSWERS = "answers"  # kept under an Idempotency-Key
    BROADCASTS = "broadcasts"  # that have ended, with whom they were for


class RetentionPolicy(TenantRow):
    """How many days a tenant keeps one kind of thing. Without a policy it is kept for ever.

    `is_automatic`: pruned by itself when the time comes; otherwise only by an order. `archives`: written to a file
    first. `looked_through` is a cursor over signals, which are not deleted and would be met again each time.
    """

    what = models.CharField(max_length=16, choices=Kept)
    days = models.PositiveIntegerField()
    is_automatic = models.BooleanField(default=False)
    archives = models.BooleanField(default=False)
    looked_through = models.BigIntegerField(default=0)
    changed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "retention policies"
        constraints = [models.UniqueConstraint(fields=["tenant", "what"], name="retention_policy_what")]

    def __str__(self) -> str:
        return f"{self.what}: {self.days} days"


class HoldOn(models.TextChoices):
    """What a legal hold can be about."""

    RUN = "run"
    SUBJECT = "subject"
    DEFINITION = "definition"


class LegalHold(TenantRow):
    """Nothing that it is about is pruned until it is released: one run, or all of a subject or of a definition."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    on = models.CharField(max_length=16, choices=HoldOn)
    value = models.CharField(max_length=200, help_text="The public id of a run, a subject, or the key of a definition.")
    reason = models.CharField(max_length=LONGEST_WHY)
    placed_by = models.CharField(max_length=150)
    placed_at = models.DateTimeField()
    released_by = models.CharField(max_length=150, blank=True, default="")
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "public_id"], name="legal_hold_public_id"),
            models.UniqueConstraint(
                fields=["tenant", "on", "value"], condition=Q(released_at__isnull=True), name="legal_hold_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.on} {self.value}"


class PruneOrder(TenantRow):
    """A plan that somebody approved, and how far it has come: pruned in parts, by whoever comes round."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    plan = models.CharField(max_length=64, help_text="The token of the plan.")
    parts = models.JSONField()  # [{what, before, archives}, …]: what is left to do
    reason = models.CharField(max_length=LONGEST_WHY)
    ordered_by = models.CharField(max_length=150)
    ordered_at = models.DateTimeField()
    pruned = models.JSONField(default=dict)  # how many rows of each kind
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "public_id"], name="prune_order_public_id")]
        indexes = [
            models.Index(fields=["tenant", "id"], condition=Q(finished_at__isnull=True), name="prune_order_open")
        ]

    def __str__(self) -> str:
        return f"{self.plan[:12]} ({'done' if self.finished_at else 'under way'})"
