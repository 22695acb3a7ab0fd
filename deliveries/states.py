"""Where a delivery stands."""

from django.db.models import TextChoices


class DeliveryStatus(TextChoices):
    """From planned to an end. The ends carry the outcome words that a definition's `on_outcome` uses."""

    PLANNED = "planned"
    SENDING = "sending"
    DELIVERED = "delivered"
    SUPPRESSED = "suppressed"
    TEMPORARY_FAILURE = "temporary_failure"
    RETRIES_EXHAUSTED = "retries_exhausted"
    PERMANENT_FAILURE = "permanent_failure"
    BOUNCED = "bounced"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


OWED = frozenset({DeliveryStatus.PLANNED, DeliveryStatus.SENDING})
"""Still ours to send. Between two tries a delivery is planned again, and `error` says how the last one went."""

ARRIVED = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.BOUNCED})
"""What proves something about an address."""

FAILURES = frozenset(
    {DeliveryStatus.TEMPORARY_FAILURE, DeliveryStatus.RETRIES_EXHAUSTED, DeliveryStatus.PERMANENT_FAILURE}
)
"""It was to go out and could not, as far as we know."""

NOT_SENT = frozenset(DeliveryStatus) - OWED - ARRIVED
"""Ended, and not known to have been taken."""

OUTCOMES = frozenset(
    {
        DeliveryStatus.DELIVERED,
        DeliveryStatus.SUPPRESSED,
        DeliveryStatus.TEMPORARY_FAILURE,
        DeliveryStatus.RETRIES_EXHAUSTED,
        DeliveryStatus.PERMANENT_FAILURE,
        DeliveryStatus.BOUNCED,
        DeliveryStatus.UNKNOWN,
    }
)
"""The words that a definition may react to."""


class Layer(TextChoices):
    """Who decided whether a message goes out. Each layer is asked only if those before it said nothing."""

    REQUIRED = "required_category"  # nobody may refuse it
    RECIPIENT = "recipient"
    TENANT = "tenant_default"
    STEP = "step"
    NOBODY = "nobody"  # no rule said anything, so it goes out
    PROVIDER = "provider"  # asked last of all: its rate says when


COUNTED = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.UNKNOWN, DeliveryStatus.BOUNCED})
"""What somebody got, or may have got: it counts against the caps."""

GONE = "gone"
"""Under which name the context of an outcome holds the digests of addresses that are no more."""
