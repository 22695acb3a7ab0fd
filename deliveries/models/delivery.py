"""Deliveries: one message owed to one recipient over one channel."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from deliveries.querysets import DeliveryQuerySet
from deliveries.states import FAILURES, NOT_SENT, OWED, DeliveryStatus, Layer
from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow
from workflows.definitions.validate import OURS


class Delivery(TenantRow):
    """What became of one visit of a `deliver` step. `key` is its effect key: every try goes out under the same one.

    The address itself is never stored: it is read from the run when the message is sent. The digest finds every
    delivery to one address, the masked form is for people.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    run = models.ForeignKey("workflows.Run", models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    step_run = models.ForeignKey(
        "workflows.StepRun", models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    definition_key = models.CharField(max_length=64)
    step_key = models.CharField(max_length=64)
    visit = models.PositiveIntegerField(default=1)
    key = models.CharField(max_length=200)
    channel = models.CharField(max_length=32)
    template = models.CharField(max_length=100, blank=True)
    template_version = models.PositiveIntegerField(null=True)  # of a stored template; fixed with the first try
    layout_version = models.PositiveIntegerField(null=True)
    locale = models.CharField(max_length=35, blank=True, db_default="")  # whose words it has
    category = models.CharField(max_length=64, blank=True, db_default="")
    subject = models.CharField(max_length=200)
    recipient_digest = models.CharField(max_length=64, blank=True)
    recipient_masked = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=20, choices=DeliveryStatus, default=DeliveryStatus.PLANNED)
    error = models.CharField(max_length=200, blank=True)
    decided_by = models.CharField(max_length=20, blank=True, db_default="", choices=Layer)
    decided_rule = models.CharField(max_length=200, blank=True, db_default="")
    held_until = models.DateTimeField(null=True, blank=True)  # planned, and not to be sent before
    held_by = models.CharField(max_length=16, blank=True, db_default="")  # quiet_hours, window, cap or rate
    counted_at = models.DateTimeField(null=True, blank=True)  # when it took its place under a cap
    coalesced_into = models.UUIDField(null=True, blank=True)  # the delivery that says it instead
    provider_ref = models.CharField(max_length=255, blank=True)
    provider = models.CharField(max_length=64, blank=True, db_default="")  # who may have it; empty: nobody does
    turn_at = models.DateTimeField(null=True, blank=True)  # its place in the queue of a provider that limits the rate
    resend_of = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="resends", db_constraint=False, db_index=False
    )
    resend_reason = models.CharField(max_length=200, blank=True)
    stands_in_for = models.UUIDField(null=True, blank=True)  # the delivery that it was joined to, which did not go out
    planned_at = models.DateTimeField(default=timezone.now)
    sending_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)  # the provider says that it arrived
    failed_at = models.DateTimeField(null=True, blank=True)  # the provider says that it did not, maybe too late
    complained_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="delivery_tenant_key"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="delivery_public_id"),
        ]
        indexes = [
            models.Index(fields=["tenant", "run", "id"], name="delivery_of_run"),
            models.Index(fields=["tenant", "step_run"], name="delivery_of_step_run"),
            models.Index(fields=["tenant", "subject", "-id"], name="delivery_of_subject"),
            models.Index(fields=["tenant", "status", "-id"], name="delivery_by_status"),
            # what arrived at an address: asked by support desks
            models.Index(
                fields=["tenant", "recipient_digest", "-settled_at"],
                name="delivery_last_to_address",
                condition=Q(status__in=["delivered", "bounced"]) & ~Q(recipient_digest=""),
            ),
            # who complained: asked by processes of before there were suppressions, and next to nothing is in it
            models.Index(
                fields=["tenant", "recipient_digest"],
                name="delivery_complained",
                condition=Q(complained_at__isnull=False),
            ),
            # what else became of messages to an address, for support desks; what is sent as it should never enters it
            models.Index(
                fields=["tenant", "recipient_digest", "-id"],
                name="delivery_not_sent_to",
                condition=Q(status__in=sorted(NOT_SENT)) & ~Q(recipient_digest=""),
            ),
            # "oldest owed delivery" is asked every few seconds and should find next to nothing
            models.Index(fields=["tenant", "planned_at"], name="delivery_owed", condition=Q(status__in=sorted(OWED))),
            # how many within a window: asked before each message that a cap is about
            models.Index(
                fields=["tenant", "subject", "channel", "-counted_at"],
                name="delivery_counted",
                condition=Q(counted_at__isnull=False),
            ),
            # what waits because of a rule: looked through when the rule is changed, and nothing else enters it
            models.Index(
                fields=["tenant", "subject", "id"],
                name="delivery_held",
                condition=Q(status="planned") & ~Q(held_by=""),
            ),
            models.Index(
                fields=["tenant", "coalesced_into"],
                name="delivery_coalesced",
                condition=Q(coalesced_into__isnull=False),
            ),
            models.Index(
                fields=["tenant", "provider_ref"], name="delivery_provider_ref", condition=~Q(provider_ref="")
            ),
            models.Index(fields=["tenant", "resend_of"], name="delivery_resends", condition=Q(resend_of__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.status} {self.public_id}"

    @property
    def is_insisted_on(self) -> bool:
        """Whether a person wants it now, whatever the hour and the caps."""
        return self.is_test or self.is_resent_by_hand

    @property
    def is_resent_by_hand(self) -> bool:
        """Whether a person had an earlier message sent again."""
        return self.resend_of_id is not None and self.stands_in_for is None

    @property
    def is_test(self) -> bool:
        """Whether a person asked for it to see a template or a provider at work: no rule for recipients is about it."""
        return self.definition_key in OURS

    @property
    def may_have_arrived(self) -> bool:
        """Whether it has failed, as far as we know, and some try of it may have been taken all the same."""
        if self.status not in FAILURES or self.step_run_id is None:
            return False
        return self.may_have_been_taken

    @property
    def may_have_been_taken(self) -> bool:
        """Whether some try of it may have been taken, whatever came of it."""
        return self.step_run.maybe_done or self.step_run.lost_attempts > 0

    @property
    def is_owed(self) -> bool:
        """Whether we still mean to send it."""
        return self.status in OWED
