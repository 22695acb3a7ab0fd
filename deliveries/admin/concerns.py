"""What the home page watches in deliveries."""

from datetime import timedelta

from chimeway_py.admin_site import register_concern
from deliveries.models import Delivery
from tenants.admin import words
from tenants.admin.concerns import concern

OWED_TOO_LONG = timedelta(minutes=1)  # a retry that is due later makes a delivery old without anything being wrong

register_concern(
    concern(
        label="Owed deliveries",
        hint="planned more than a minute ago and not sent",
        url_name="admin:deliveries_delivery_changelist",
        query="attention=owed",
        rows=lambda: Delivery.objects.overdue(words.now() - OWED_TOO_LONG),
        since="planned_at",
    )
)
